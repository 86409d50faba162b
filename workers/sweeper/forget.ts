import { type Kysely, sql } from 'kysely'
import type { Database } from '../../core/store/schema.ts'

/** Notifications deleted in one statement, and statements in one round. */
const [batchSize, maxBatches] = [500, 100]

/**
 * Deletes the notifications accepted before a point in time with their deliveries, attempts and cancellations; answers how many. One that has
 * not ended stays, and so does one whose deadline is to come: a record that is read again finds it here. People's inboxes are theirs. Replays go when they ended before that point.
 */
export async function forgetOld(db: Kysely<Database>, before: Date, signal: AbortSignal): Promise<number> {
  let forgotten = 0
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches++) {
    const count = await forgetBatch(db, before)
    forgotten += count
    if (count < batchSize) break
  }
  await db.deleteFrom('cancellations').where('requested_at', '<', before).execute()
  await db.deleteFrom('replays').where('finished_at', '<', before).execute()
  return forgotten
}

async function forgetBatch(db: Kysely<Database>, before: Date): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    WITH old AS (
      SELECT id FROM notifications n
      WHERE accepted_at < ${before} AND NOT EXISTS (
        SELECT FROM deliveries d WHERE d.notification_id = n.id AND (
          d.expires_at > clock_timestamp()
          OR d.status IN ('accepted', 'scheduled', 'queued', 'retrying', 'sending')
        )
      )
      ORDER BY accepted_at LIMIT ${batchSize} FOR UPDATE SKIP LOCKED
    ), forgotten AS (
      DELETE FROM deliveries WHERE notification_id IN (SELECT id FROM old) RETURNING id
    ), their_attempts AS (
      DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM forgotten)
    )
    DELETE FROM notifications WHERE id IN (SELECT id FROM old) RETURNING id`.execute(db)
  return rows.length
}
