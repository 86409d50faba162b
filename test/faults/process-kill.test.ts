import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Accepted, balance, describeBalance, isClean } from '../harness/balance/balance.ts'
import { readSettledLedger, sendUntilAccepted, until } from '../harness/balance/load.ts'
import { seeded } from '../harness/fakes/random.ts'
import { type CarillonProcess, startCarillon } from '../harness/process/carillon.ts'
import { hooksChannel, newSigningSecret } from '../harness/process/install.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/**
 * The whole of `carillon dev` is killed (SIGKILL) in the middle of a load with at least 50 deliveries claimed and not finished. After a restart
 * every 202 must have reached a terminal status, and client, provider and ledger must agree.
 */

const rounds = 10
const load = 200
const inFlightAtKill = 50

let folder: string
let sink: WebhookSink
let carillon: CarillonProcess | undefined
const accepted: Accepted[] = []

const start = () =>
  startCarillon({
    dataDir: join(folder, 'data'),
    manifests: join(folder, 'manifests'),
    env: { CARILLON_SECRETS_DIR: join(folder, 'secrets'), LOG_LEVEL: 'ERROR' },
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carillon-kill-'))
  await mkdir(join(folder, 'manifests'))
  await mkdir(join(folder, 'secrets', 'hooks'), { recursive: true })
  await writeFile(join(folder, 'manifests', 'hooks.yaml'), hooksChannel())
  await writeFile(join(folder, 'secrets', 'hooks', 'secret'), newSigningSecret())
  sink = await startWebhookSink()
}, 120_000)

afterAll(async () => {
  await carillon?.stop()
  await sink?.close()
  await rm(folder, { recursive: true, force: true })
}, 120_000)

const send = async (key: string) => {
  const to = [{ webhook_url: `${sink.url}/${key}` }]
  const content = { text: `message ${key}` }
  accepted.push(await sendUntilAccepted(() => carillon?.url, key, { to, content }))
}

/** One load with a kill in the middle of it, from its seed. */
async function killRound(seed: number): Promise<void> {
  const random = seeded(seed)
  // Long enough that a slow machine gets as many under way, and within the timeout of the channel.
  sink.setLatency(() => 2_000 + random() * 6_000)
  const before = accepted.length
  const sending = Promise.all(Array.from({ length: load }, (_, index) => send(`${seed}-${index}`)))
  const threshold = inFlightAtKill + Math.floor(random() * 40)
  await until(() => sink.inFlight() >= threshold, `${threshold} deliveries are in flight`)
  const inFlight = sink.inFlight()
  await carillon?.kill()
  sink.setLatency(() => 0)
  carillon = await start()
  await sending

  const promised = accepted.slice(before)
  const ledger = await readSettledLedger(() => carillon?.url, promised)
  const ids = new Set(ledger.map(({ id }) => id))
  const receipts = sink.receipts.filter(({ delivery }) => ids.has(delivery))
  const result = balance(promised, receipts, ledger)
  console.log(`seed ${seed}: ${inFlight} in flight at the kill; ${describeBalance(result)}`)
  expect(inFlight).toBeGreaterThanOrEqual(inFlightAtKill)
  expect(promised).toHaveLength(load)
  expect(isClean(result)).toBe(true)
  expect(ledger.every(({ status }) => status === 'sent')).toBe(true)

  // A line removed from the log of the provider is a loss, and the only one.
  const missing = receipts[0]?.delivery
  const without = receipts.filter(({ delivery }) => delivery !== missing)
  expect(balance(promised, without, ledger).lost).toEqual([missing])
}

describe('G1 G2: kill -9 of everything, in the middle of a load', () => {
  it(`loses no accepted message in ${rounds} rounds, and explains every duplicate`, async () => {
    const firstSeed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
    carillon = await start()
    for (let round = 0; round < rounds; round++) await killRound(firstSeed + round)
  }, 1_200_000)
})
