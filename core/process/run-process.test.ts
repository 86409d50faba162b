import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { freePorts } from '../../test/harness/process/free-ports.ts'
import { StartRefused } from '../settings/start-refused.ts'
import { runProcess } from './run-process.ts'

const options = {
  role: 'worker',
  logLevel: 'ERROR' as const,
  healthListen: { host: '127.0.0.1', port: 0 },
}

test('a role that fails for good is stopped in order, and ends the command with one line and exit code 1', async () => {
  const stopped: string[] = []
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const running = runProcess(options, ({ started }) => {
    for (const name of ['store', 'broker']) {
      started.add(name, () => {
        stopped.push(name)
        return Promise.resolve()
      })
    }
    return Promise.resolve({ ready: () => true, failed })
  })
  fail(new Error('the consumer is down for good'))
  await expect(running).rejects.toEqual(new StartRefused('worker: the consumer is down for good', 1))
  expect(stopped).toEqual(['broker', 'store'])
})

test('a start that does not succeed stops what it had started', async () => {
  let stopped = false
  const refusal = new StartRefused('DATABASE_URL: database "nowhere" does not exist')
  const running = runProcess(options, ({ started }) => {
    started.add('store', () => {
      stopped = true
      return Promise.resolve()
    })
    return Promise.reject(refusal)
  })
  await expect(running).rejects.toBe(refusal)
  expect(stopped).toBe(true)
})

/** A process whose drain lasts until its standard input ends. */
async function startDraining() {
  const [port] = await freePorts(1)
  const script = `
    import { once } from 'node:events'
    import { runProcess } from ${JSON.stringify(new URL('run-process.ts', import.meta.url).href)}
    const healthListen = { host: '127.0.0.1', port: ${port} }
    await runProcess({ role: 'worker', logLevel: 'ERROR', healthListen }, async ({ started }) => {
      started.add('drain', () => once(process.stdin.resume(), 'end'))
      return { ready: () => true }
    })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      ({ status }) => status,
      () => 'nobody',
    )
  await expect.poll(() => ask('/readyz')).toBe(200)
  child.kill('SIGTERM')
  await expect.poll(() => ask('/readyz')).toBe(503)
  return { child, ended, ask }
}

test('SIGTERM takes readiness away before the drain is over, and not the life', async () => {
  const { child, ended, ask } = await startDraining()
  expect(await ask('/livez')).toBe(200)
  expect(child.exitCode).toBeNull()
  child.stdin.end()
  expect(await ended).toEqual([0, null])
})

test('a second signal ends the process at once, whatever it still waits for', async () => {
  const { child, ended } = await startDraining()
  child.kill('SIGTERM')
  expect(await ended).toEqual([143, null])
})
