import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CarillonProcess, startCarillon } from '../harness/process/carillon.ts'
import { leastEnvironment } from '../harness/process/role.ts'
import { paste } from './paste.ts'

/** `carillon replay`, and the session of docs/operations/dead-letters.md as somebody has it who pastes its commands. */

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const waiting = { timeout: 60_000, interval: 100 }

let folder: string
let carillon: CarillonProcess

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-replay-'))
  cpSync(file('deploy/samples'), join(folder, 'manifests'), { recursive: true })
  const sms = join(folder, 'manifests', 'sms.yaml')
  const rule = '          - {match: "*99", class: poison}\n'
  writeFileSync(sms, readFileSync(sms, 'utf8').replace(/(failures:\n)/, `$1${rule}`))
  carillon = await startCarillon({ dataDir: join(folder, 'data'), manifests: join(folder, 'manifests') })
}, 240_000)
afterAll(async () => {
  await carillon?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const get = async <T>(path: string) => (await (await fetch(carillon.url + path)).json()) as T
const deadLetters = async () =>
  (await get<{ data: { delivery: string; notification: string }[] }>('/v1/dead-letters')).data

/** `carillon replay` with these flags, its output being no terminal. */
function replay(...args: string[]) {
  const child = spawn(process.execPath, [file('bin/carillon.ts'), 'replay', '--api', carillon.url, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: leastEnvironment(),
  })
  let output = ''
  const note = (chunk: string) => (output += chunk)
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', note)
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, output }))
  return { child, output: () => output, ended }
}

/** The commands of the page. */
const commands = [
  ...readFileSync(file('docs/operations/dead-letters.md'), 'utf8').matchAll(/^```sh\n(.*?)\n```$/gms),
].map(([, text]) => text!)
const run = (command: string) =>
  paste(`export CARILLON_API=${carillon.url}; ${command.replace('http://127.0.0.1:8080', carillon.url)}`)

/** Takes a rehearsed failure out of the manifest, as somebody mends a cause, and waits until the channel is in use without it. */
async function mend(match: string): Promise<void> {
  const changes = () => carillon.output().match(/^in use NotificationChannel sms$/gm)?.length ?? 0
  const before = changes()
  const path = join(folder, 'manifests', 'sms.yaml')
  const lines = readFileSync(path, 'utf8').split('\n')
  const rest = lines.filter((line) => !line.includes(`{match: "${match}"`))
  expect(rest).toHaveLength(lines.length - 1)
  writeFileSync(path, rest.join('\n'))
  await expect.poll(changes, waiting).toBeGreaterThan(before)
}

test('the session of the page', async () => {
  const [send, list, dryRun, replayAll, ...more] = commands as [string, string, string, string]
  expect(more).toEqual([])
  const { id } = JSON.parse(await run(send)) as { id: string }
  await expect.poll(deadLetters, waiting).toHaveLength(1)
  expect(await run(list)).toContain(id)
  await mend('+15550113')
  expect(await run(dryRun)).toMatch(
    /^1 dead letter:\n +1 {2}sms {2}retries_exhausted\nFor example:\n {2}dlv_\w+ to \+1\*\*\*13: not_sent: rehearsed by the sandbox\n$/,
  )
  expect(await run(replayAll)).toMatch(/\nrpl_\w+ completed: 1 replayed, 0 skipped\n$/)
  await expect
    .poll(() => get(`/v1/notifications/${id}`), waiting)
    .toMatchObject({ status: 'completed', deliveries: [{ status: 'simulated' }] })
  expect(await run(dryRun)).toBe('No dead letter fits.\n')
}, 300_000)

test('a replay pauses while its cause goes on; it is resumed, interrupted, looked at again, and completed', async () => {
  const headers = { 'content-type': 'application/json' }
  for (const area of [5551, 5552]) {
    const to = Array.from({ length: 60 }, (_, index) => ({ phone: `+${area}${100 + index}99` }))
    const body = JSON.stringify({ to, content: { text: 'Hi' } })
    await fetch(`${carillon.url}/v1/notifications`, { method: 'POST', headers, body })
  }
  const metrics = async () => (await fetch(`${carillon.url}/metrics`)).text()
  await expect
    .poll(metrics, waiting)
    .toContain('carillon_dead_letters{namespace="default",channel="sms"} 120\n')

  const paused = await replay('--channel', 'sms', '--reason', 'poison', '--rate', '10', '--yes').ended
  expect(paused.output).toMatch(/^120 dead letters:$/m)
  expect(paused.output).toMatch(
    /^rpl_\w+ paused: \d+ replayed, 0 skipped; \d+ of the last \d+ deliveries replayed have failed again$/m,
  )
  expect(paused.code).toBe(1)
  const id = /^To let it go on: carillon replay --resume (rpl_\w+) --api http/m.exec(paused.output)![1]!

  await mend('*99')
  const resumed = replay('--resume', id)
  await expect.poll(resumed.output, waiting).toMatch(/ remaining/)
  resumed.child.kill('SIGINT')
  const interrupted = await resumed.ended
  expect(interrupted.output).toContain(`${id} goes on. To look again: carillon replay --follow ${id} --api `)
  expect(interrupted.code).toBe(130)

  const followed = await replay('--follow', id).ended
  expect(followed.output).toMatch(new RegExp(`^${id} completed: 120 replayed, 0 skipped$`, 'm'))
  expect(followed.code).toBe(0)
  expect(await replay('--cancel', id).ended).toEqual({ code: 1, output: 'carillon: The replay has ended.\n' })

  // What had failed again before the pause is the next replay's.
  const rest = await replay('--yes').ended
  expect(rest.code).toBe(0)
  await expect.poll(deadLetters, waiting).toEqual([])
}, 300_000)

test('what is wrong is said in a line', async () => {
  expect(await replay('--channel', 'pigeon', '--yes').ended).toEqual({
    code: 2,
    output: 'carillon: /filter/channels/0: there is no such channel\n',
  })
  expect(await replay('--recipient', 'ada', '--yes').ended).toEqual({
    code: 2,
    output: 'carillon: --recipient: must be KIND=ADDRESS, such as email=ops@example.com\n',
  })
  expect(await replay('--follow', 'rpl_x').ended).toEqual({
    code: 1,
    output: 'carillon: There is no such replay.\n',
  })
  expect(await replay('--api', 'http://127.0.0.1:2').ended).toEqual({
    code: 1,
    output: 'carillon: http://127.0.0.1:2 cannot be reached: ECONNREFUSED\n',
  })
}, 120_000)
