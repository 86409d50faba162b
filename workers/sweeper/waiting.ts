import { type Kysely, sql } from 'kysely'
import type { Database } from '../../core/store/schema.ts'
import type { Place } from './overdue.ts'

/** Deliveries of one channel that have waited long for a record to be worked on. */
export interface Waiting {
  tenant: string
  channel: string
  /** When the oldest and the newest of them were queued, or put off for a retry. */
  oldest: Date
  newest: Date
}

export interface WaitingPage {
  waiting: Waiting[]
  /** What was looked at: the deliveries from the given place to this one. `null` when there are none. */
  last: Place | null
  /** Whether these were the last. */
  end: boolean
}

/** Looks at up to `size` deliveries in the order of their deadlines: which channels have some that wait since before `since`. */
export async function findWaiting(
  db: Kysely<Database>,
  from: Place,
  size: number,
  since: Date,
): Promise<WaitingPage> {
  const { rows } = await sql<{
    visited: number
    last: Place | null
    waiting: { tenant: string; channel: string; oldest: string; newest: string }[] | null
  }>`
    WITH visited AS (
      SELECT id, expires_at, tenant, channel, status, updated_at FROM deliveries
      WHERE (expires_at, id) >= (${from.expires_at}::timestamptz, ${from.id}::uuid)
      ORDER BY expires_at, id LIMIT ${size}
    ), waiting AS (
      SELECT tenant, channel, min(updated_at) AS oldest, max(updated_at) AS newest FROM visited
      WHERE status IN ('accepted', 'queued', 'retrying') AND updated_at <= ${since}
      GROUP BY tenant, channel
    ), last AS (
      SELECT expires_at::text, id FROM visited ORDER BY visited.expires_at DESC, id DESC LIMIT 1
    )
    SELECT
      (SELECT count(*) FROM visited) AS visited,
      (SELECT to_json(last) FROM last) AS last,
      (SELECT json_agg(waiting) FROM waiting) AS waiting`.execute(db)
  const { visited, last, waiting } = rows[0]!
  return {
    waiting: (waiting ?? []).map(({ oldest, newest, ...channel }) => ({
      ...channel,
      oldest: new Date(oldest),
      // Rounded up: PostgreSQL counts microseconds, and the newest itself is meant too.
      newest: new Date(Date.parse(newest) + 1),
    })),
    last,
    end: visited < size,
  }
}

export interface EndStrandedOptions {
  tenant: string
  channel: string
  /** From the first to the second, both included. */
  from: Place
  to: Place
  /** Only what was queued, or put off for a retry, by then. */
  since: Date
  status: 'failed' | 'expired'
  reason: 'channel_deleted' | 'log_expired'
}

/** Ends the deliveries of a channel that wait for what will not come. Answers how many. What waits for its topic is in no log, and so not lost from one. */
export async function endStranded(db: Kysely<Database>, options: EndStrandedOptions): Promise<number> {
  const { tenant, channel, from, to, since, status, reason } = options
  const { numAffectedRows = 0n } = await sql`
    WITH locked AS (
      SELECT id FROM deliveries
      WHERE (expires_at, id) >= (${from.expires_at}::timestamptz, ${from.id}::uuid)
        AND (expires_at, id) <= (${to.expires_at}::timestamptz, ${to.id}::uuid)
        AND tenant = ${tenant} AND channel = ${channel}
        AND status IN ('accepted', 'queued', 'retrying') AND updated_at <= ${since}
        AND (${reason} <> 'log_expired' OR reason IS DISTINCT FROM 'topic_unavailable')
      ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries d SET status = ${status}, reason = ${reason}, due_at = NULL, updated_at = clock_timestamp()
    FROM locked WHERE d.id = locked.id`.execute(db)
  return Number(numAffectedRows)
}
