import { type Kysely, sql } from 'kysely'
import type { DeliveryStatus } from '../../core/notification/status.ts'
import type { Clock } from '../../core/clock.ts'
import type { Database } from '../../core/store/schema.ts'

/** What was replayed last, at the most. */
const windowSize = 100
/** Known outcomes below which nothing is said: a handful of bad addresses is no outage. */
const leastKnown = 20
/** Share of failures above which it is better to stop and look. */
const tolerated = 0.5
/** Milliseconds between looks. */
const lookEvery = 1_000
/** Looks in a row that must find too many failures. */
const looksInRow = 2

const pending: ReadonlySet<DeliveryStatus> = new Set(['accepted', 'scheduled', 'queued', 'sending'])
const succeeded: ReadonlySet<DeliveryStatus> = new Set(['sent', 'delivered', 'simulated'])

export interface Replayed {
  id: string
  replayEpoch: number
}

/** How a delivery stands now. */
export interface Standing extends Replayed {
  status: DeliveryStatus
}

export interface FailureWatchOptions {
  /** Reads how the deliveries stand. */
  look: (ids: string[]) => Promise<Standing[]>
  clock: Pick<Clock, 'monotonic'>
}

/**
 * Watches what becomes of the deliveries replayed last. While what made them dead letters goes on, replaying the rest would only wear it
 * out further: most of them failing at two looks in a row is a reason to stop. A retry counts as a failure.
 */
export function createFailureWatch({ look, clock }: FailureWatchOptions) {
  const replayed = new Map<string, number>()
  let lookedAt = clock.monotonic()
  let bad = 0

  return {
    note(deliveries: readonly Replayed[]): void {
      for (const { id, replayEpoch } of deliveries) {
        replayed.delete(id)
        replayed.set(id, replayEpoch)
        if (replayed.size > windowSize) replayed.delete(replayed.keys().next().value!)
      }
    },

    /** Why the replay should pause, or `undefined`. */
    async reasonToPause(): Promise<string | undefined> {
      const now = clock.monotonic()
      if (now - lookedAt < lookEvery || replayed.size < leastKnown) return undefined
      lookedAt = now
      const standings = await look([...replayed.keys()])
      const known = standings.filter(
        ({ id, replayEpoch, status }) => replayEpoch >= replayed.get(id)! && !pending.has(status),
      )
      const failed = known.filter(({ status }) => !succeeded.has(status)).length
      bad = known.length >= leastKnown && failed / known.length > tolerated ? bad + 1 : 0
      if (bad < looksInRow) return undefined
      return `${failed} of the last ${known.length} deliveries replayed have failed again`
    },
  }
}

/** How deliveries stand: their status, and how often they were replayed. */
export async function readStandings(db: Kysely<Database>, ids: string[]): Promise<Standing[]> {
  const rows = await db
    .selectFrom('deliveries')
    .select(['id', 'replay_epoch', 'status'])
    .where('id', '=', (eb) => eb.fn.any(sql.val(ids)))
    .execute()
  return rows.map(({ id, replay_epoch, status }) => ({ id, replayEpoch: replay_epoch, status }))
}
