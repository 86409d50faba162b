/**
 * `make soak`: a steady load, and a fault out of test/faults every 20 s. At the end everything that was accepted is delivered and every
 * duplicate is explained, or the exit code is 1.
 * ARGS: `--minutes 10`, `--seed 17`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { describeBalance } from '../harness/balance/balance.ts'
import { readSettledLedger, startLoad, until } from '../harness/balance/load.ts'
import { seeded } from '../harness/fakes/random.ts'
import { allFaults } from './all.ts'
import { balanceOf, judge, leastInFlight, promisedBy } from './fault.ts'
import { ProcessSamples } from './process-samples.ts'
import { requireParts } from './require-parts.ts'
import { startWorld } from './world.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const seed = Number(values.seed)
const interval = 20_000
const print = (text: string) => void process.stdout.write(`${text}\n`)

print(`make soak ARGS="--minutes ${values.minutes} --seed ${seed}"`)
const world = await startWorld(requireParts())
const problems = await soakThenStop()
for (const problem of problems) print(`FAILED: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)

async function soakThenStop(): Promise<string[]> {
  try {
    return await soak()
  } catch (error) {
    print(world.complaints())
    throw error
  } finally {
    await world.stop()
  }
}

async function soak(): Promise<string[]> {
  const { sink } = world
  const random = seeded(seed)
  const slow = () => sink.setLatency(() => 1_000 + random() * 1_000)
  slow()
  const load = startLoad({
    url: () => world.api.url(),
    to: sink.url,
    name: `soak-${seed}`,
    recipients: 120,
    messages: 0,
    interval: 2_000,
  })
  const samples = new ProcessSamples(() => world.processes())
  const begun = Date.now()
  const end = begun + Number(values.minutes) * 60_000
  for (let next = begun + interval; next < end; next += interval) {
    // One that takes longer than the interval to be caused is followed at once.
    await sleep(Math.max(0, next - Date.now()))
    await causeFault(random)
    slow()
  }
  await sleep(Math.max(0, end - Date.now()))
  load.stop()
  sink.setLatency(() => 20)
  await load.done
  const ledger = await readSettledLedger(() => world.api.url(), promisedBy(load), 300_000)
  print(describeBalance(balanceOf(world, load, ledger)))
  for (const line of samples.stop()) print(line)
  return judge(world, load, ledger, { duplicates: 'whatever the ledger explains' })
}

/** A fault on top of whatever is left of the one before. */
async function causeFault(random: () => number): Promise<void> {
  const faults = allFaults(10)
  const fault = faults[Math.floor(random() * faults.length)]!
  await until(
    () => world.sink.inFlight() >= leastInFlight,
    `${leastInFlight} deliveries are in flight`,
    120_000,
  )
  const inFlight = world.sink.inFlight()
  const begun = Date.now()
  await fault.strike(world, random)
  print(`  ${fault.name}: ${inFlight} in flight, mended after ${((Date.now() - begun) / 1000).toFixed(1)} s`)
}
