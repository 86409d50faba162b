import { type Kysely, sql } from 'kysely'
import type { Reason } from '../../core/notification/status.ts'
import type { Database } from '../../core/store/schema.ts'

/** Where a walk along the deadlines is: at this delivery. Times are PostgreSQL's own text, which keeps the microseconds. */
export interface Place {
  expires_at: string
  id: string
}

/** What became of so many deliveries. */
export type Note = (status: 'expired' | 'unknown' | 'failed', reason: Reason, count: number) => void

/** Beyond its deadline a delivery is left to its worker for so long: it would end it in the same way, and knows more of it. */
const patience = '2 minutes'
/** Beyond its lease a claim counts as lost after so long. */
const leasePatience = '5 minutes'

/** Deliveries looked at in one statement, and statements in one round. */
const [batchSize, maxBatches] = [2_000, 100]

/**
 * Ends the deliveries whose deadline has passed, in the order of their deadlines, and remembers how far it has been. Who waits is `expired`; of a
 * claim that was lost nobody can tell whether the message left: `unknown`. What waited for its topic keeps that as the reason. Their records, should they still come, find a delivery that has ended.
 */
export async function sweepOverdue(db: Kysely<Database>, note: Note, signal: AbortSignal): Promise<void> {
  const { rows } = await sql<Place>`SELECT expires_at::text, id FROM sweeps WHERE name = 'overdue'`.execute(
    db,
  )
  let place = rows[0]!
  /** The first delivery that may still get its outcome, such as one that is being sent. */
  let unresolved: Place | undefined
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches++) {
    const batch = await endOverdue(db, place)
    note('expired', 'expired', batch.expired)
    note('expired', 'topic_unavailable', batch.unavailable)
    note('unknown', 'expired', batch.unknown)
    place = batch.last ?? place
    unresolved ??= batch.unresolved ?? undefined
    if (batch.visited < batchSize) break
  }
  const { expires_at, id } = unresolved ?? place
  await db.updateTable('sweeps').set({ expires_at, id }).where('name', '=', 'overdue').execute()
}

interface Batch {
  visited: number
  expired: number
  /** Of those that waited for their topic. */
  unavailable: number
  unknown: number
  last: Place | null
  unresolved: Place | null
}

async function endOverdue(db: Kysely<Database>, from: Place): Promise<Batch> {
  const { rows } = await sql<Batch>`
    WITH visited AS (
      SELECT id, expires_at, status FROM deliveries
      WHERE (expires_at, id) >= (${from.expires_at}::timestamptz, ${from.id}::uuid)
        AND expires_at <= clock_timestamp() - ${patience}::interval
      ORDER BY expires_at, id LIMIT ${batchSize}
    ), unfinished AS (
      SELECT id, expires_at FROM visited WHERE status IN ('accepted', 'scheduled', 'queued', 'retrying', 'sending')
    ), locked AS (
      SELECT d.id, d.status, d.reason, d.replay_epoch, d.attempt, d.claims FROM deliveries d JOIN unfinished u ON u.id = d.id
      WHERE d.status IN ('accepted', 'scheduled', 'queued', 'retrying')
        OR (d.status = 'sending' AND d.lease_until < clock_timestamp() - ${leasePatience}::interval)
      ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
    ), ended AS (
      UPDATE deliveries d SET
        status = CASE l.status WHEN 'sending' THEN 'unknown' ELSE 'expired' END,
        reason = CASE WHEN l.status <> 'sending' AND l.reason = 'topic_unavailable' THEN l.reason ELSE 'expired' END,
        due_at = NULL, owner = NULL, lease_until = NULL, updated_at = clock_timestamp()
      FROM locked l WHERE d.id = l.id
    ), interrupted AS (
      UPDATE attempts a SET outcome = 'interrupted', finished_at = clock_timestamp()
      FROM locked l
      WHERE l.status = 'sending' AND a.delivery_id = l.id AND a.replay_epoch = l.replay_epoch
        AND a.attempt = l.attempt AND a.claim = l.claims AND a.outcome IS NULL
    ), last AS (
      SELECT expires_at::text, id FROM visited ORDER BY visited.expires_at DESC, id DESC LIMIT 1
    ), unresolved AS (
      SELECT expires_at::text, id FROM unfinished WHERE id NOT IN (SELECT id FROM locked)
      ORDER BY unfinished.expires_at, id LIMIT 1
    )
    SELECT
      (SELECT count(*) FROM visited) AS visited,
      (SELECT count(*) FROM locked WHERE status <> 'sending' AND reason IS DISTINCT FROM 'topic_unavailable') AS expired,
      (SELECT count(*) FROM locked WHERE status <> 'sending' AND reason = 'topic_unavailable') AS unavailable,
      (SELECT count(*) FROM locked WHERE status = 'sending') AS unknown,
      (SELECT to_json(last) FROM last) AS last,
      (SELECT to_json(unresolved) FROM unresolved) AS unresolved`.execute(db)
  return rows[0]!
}
