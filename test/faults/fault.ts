import {
  type Accepted,
  balance,
  type Balance,
  describeBalance,
  isClean,
  type LedgerDelivery,
} from '../harness/balance/balance.ts'
import { type Load, readSettledLedger, startLoad, until } from '../harness/balance/load.ts'
import { outOfOrder } from '../harness/balance/order.ts'
import { seeded } from '../harness/fakes/random.ts'
import type { World } from './world.ts'

/** The guarantees of docs/reliability.md. */
export type Guarantee = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6'

/** Something that breaks in the middle of a load. */
export interface Fault {
  /** What breaks, in a few words. */
  name: string
  /** Those that it tries most; the balance tries G1, G2, G4 and G6 every time. */
  guarantees: readonly Guarantee[]
  /** What holds all the same. */
  invariant: string
  /** Which messages may come twice, each with an attempt in the ledger whose outcome nobody knew; none where absent. */
  duplicates?: string
  /** Breaks it and mends it. Throws when it had no effect. */
  strike(world: World, random: () => number): Promise<void>
}

export interface FaultResult {
  fault: Fault
  seed: number
  inFlight: number
  acceptedAtHit: number
  balance: Balance
  /** From the hit until every message has its outcome. */
  seconds: number
  /** What must not be, one line each. */
  problems: string[]
}

/** Below this a fault hits nothing worth speaking of. */
export const leastInFlight = 50

const recipients = 120
/**
 * Milliseconds of the provider, within its time-out: before the fault long enough that a slow machine gets as many in flight, and still some
 * during it.
 */
const latency = { before: { least: 2_500, spread: 1_000 }, during: { least: 500, spread: 1_000 } }

/** Causes a fault in the middle of a load, waits for every outcome, and judges. @param messages to each of 120 recipients, at least */
export async function runFault(
  world: World,
  fault: Fault,
  { seed, messages }: { seed: number; messages: number },
): Promise<FaultResult> {
  await world.ready()
  const random = seeded(seed)
  const { sink } = world
  const slow = ({ least, spread }: { least: number; spread: number }) =>
    sink.setLatency(() => least + random() * spread)
  slow(latency.before)
  const load = startLoad({
    url: () => world.api.url(),
    to: sink.url,
    name: `${fault.name.replaceAll(/\W+/g, '-')}-${seed}`,
    recipients,
    messages,
    interval: 1_000,
  })
  try {
    await until(() => sink.inFlight() >= leastInFlight, `${leastInFlight} deliveries are in flight`)
    const hit = { inFlight: sink.inFlight(), acceptedAtHit: load.count() }
    slow(latency.during)
    load.finish()
    const begun = performance.now()
    await fault.strike(world, random)
    sink.setLatency(() => 20)
    await load.done
    const ledger = await readSettledLedger(() => world.api.url(), promisedBy(load))
    const seconds = (performance.now() - begun) / 1000
    const problems = judge(world, load, ledger, fault)
    return { fault, seed, ...hit, balance: balanceOf(world, load, ledger), seconds, problems }
  } finally {
    load.stop()
  }
}

export function promisedBy({ accepted }: Load): Accepted[] {
  return [...accepted.values()].flat()
}

/** Of one load alone. */
export function balanceOf({ sink }: World, load: Load, ledger: readonly LedgerDelivery[]): Balance {
  const receipts = sink.receipts.filter(({ to }) => to.startsWith(`/${load.name}-`))
  return balance(promisedBy(load), receipts, ledger)
}

/** What must not be after a load, one line each. */
export function judge(
  world: World,
  load: Load,
  ledger: readonly LedgerDelivery[],
  { duplicates }: Pick<Fault, 'duplicates'>,
): string[] {
  const result = balanceOf(world, load, ledger)
  const unsent = ledger.filter(({ status }) => status !== 'sent')
  const disordered = outOfOrder(load.accepted.values(), world.sink.seen, ledger)
  return [
    ...(isClean(result) ? [] : [describeBalance(result)]),
    ...unsent.map(({ id, status, reason }) => `${id} ended as ${status} (${reason ?? 'no reason'})`),
    ...(duplicates === undefined && result.explained.length > 0
      ? [`${result.explained.length} came twice: ${JSON.stringify(result.explained.slice(0, 5))}`]
      : []),
    ...disordered.map((id) => `${id} came before an earlier message to the same recipient`),
  ]
}
