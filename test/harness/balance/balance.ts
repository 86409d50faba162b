/**
 * The balance of a run: what the client was promised, what the provider saw, and what the ledger says must agree. It is the one
 * judge of every fault test.
 */

/** A 202 that the client has seen. */
export interface Accepted {
  notification: string
}

/** A message that arrived at the provider. */
export interface Receipt {
  delivery: string
  /** Where it was sent: the path of a URL. */
  to: string
}

/** One delivery as the API shows it. */
export interface LedgerDelivery {
  id: string
  notification: string
  status: string
  reason: string | null
  attempts: readonly { attempt: number; outcome: string | null; finished_at: string | null }[]
}

export interface Balance {
  accepted: number
  deliveries: number
  receipts: number
  /** Accepted notifications without a single delivery. */
  unplanned: string[]
  /** Deliveries without a terminal status. */
  unfinished: string[]
  /** Deliveries that the ledger calls sent and the provider never saw. */
  lost: string[]
  /** Receipts that no delivery of the ledger accounts for. */
  stray: string[]
  /** Deliveries the provider saw more often than once, and the claims without an outcome that explain it. */
  explained: { delivery: string; receipts: number; by: string[] }[]
  /** The same, without enough such claims. */
  unexplained: { delivery: string; receipts: number; by: string[] }[]
}

const unfinishedStatuses = new Set(['accepted', 'scheduled', 'queued', 'sending', 'retrying'])

/** After these the message may have left although nobody recorded that it did. Each explains one more receipt. */
function mayHaveSent({ outcome, finished_at }: LedgerDelivery['attempts'][number]): boolean {
  return outcome === 'interrupted' || outcome === 'maybe_sent' || (outcome === null && finished_at === null)
}

export function balance(
  accepted: readonly Accepted[],
  receipts: readonly Receipt[],
  ledger: readonly LedgerDelivery[],
): Balance {
  const planned = new Set(ledger.map(({ notification }) => notification))
  const known = new Set(ledger.map(({ id }) => id))
  const seen = new Map<string, number>()
  for (const { delivery } of receipts) seen.set(delivery, (seen.get(delivery) ?? 0) + 1)
  const repeated = ledger.flatMap(({ id, attempts, status }) => {
    const count = seen.get(id) ?? 0
    const by = attempts.filter(mayHaveSent).map(({ outcome }) => outcome ?? 'claimed')
    const excess = count - (status === 'sent' ? 1 : 0)
    return excess > 0 ? [{ delivery: id, receipts: count, by, covered: by.length >= excess }] : []
  })
  const strip = ({ delivery, receipts: count, by }: (typeof repeated)[number]) => ({
    delivery,
    receipts: count,
    by,
  })
  return {
    accepted: accepted.length,
    deliveries: ledger.length,
    receipts: receipts.length,
    unplanned: accepted.map(({ notification }) => notification).filter((id) => !planned.has(id)),
    unfinished: ledger.filter(({ status }) => unfinishedStatuses.has(status)).map(({ id }) => id),
    lost: ledger.filter(({ id, status }) => status === 'sent' && !seen.has(id)).map(({ id }) => id),
    stray: [...seen.keys()].filter((id) => !known.has(id)),
    explained: repeated.filter(({ covered }) => covered).map(strip),
    unexplained: repeated.filter(({ covered }) => !covered).map(strip),
  }
}

/** Whether nothing is missing and every duplicate has its explanation. */
export function isClean(result: Balance): boolean {
  const { unplanned, unfinished, lost, stray, unexplained } = result
  return [unplanned, unfinished, lost, stray, unexplained].every((list) => list.length === 0)
}

/** One line for people. */
export function describeBalance(result: Balance): string {
  const { accepted, deliveries, receipts, unplanned, unfinished, lost, stray, explained, unexplained } =
    result
  return (
    `accepted ${accepted}, deliveries ${deliveries}, receipts ${receipts}; lost ${lost.length}, unplanned ${unplanned.length}, ` +
    `unfinished ${unfinished.length}, stray ${stray.length}; duplicates ${explained.length} explained, ${unexplained.length} not`
  )
}
