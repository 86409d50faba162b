import { expect, test } from 'vitest'
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
