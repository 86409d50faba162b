import { type Kysely, sql } from 'kysely'
import { prepared } from './prepared.ts'
import type { Database } from './schema.ts'

/**
 * Cancels what of a notification is not sent yet: its deliveries that wait end as `cancelled`, one that is being sent now is not tried again.
 * The wish is kept, so that it also holds for what the planner has still to record. May be repeated.
 */
export async function cancelNotification(db: Kysely<Database>, tenant: string, id: string): Promise<void> {
  // Committed before the deliveries are looked at. The planner commits them before it looks here, so one of the two sees the other.
  await db
    .insertInto('cancellations')
    .values({ notification_id: id, tenant, requested_at: new Date() })
    .onConflict((conflict) => conflict.column('notification_id').doNothing())
    .execute()
  await cancelDeliveries(db, [id])
}

/** Of the given notifications, just recorded, those that are cancelled; their deliveries have ended. */
export async function applyCancellations(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ notification_id: string }>`${prepared('cancelled')}
    SELECT notification_id FROM cancellations WHERE notification_id IN (SELECT value::uuid FROM json_array_elements_text(${JSON.stringify(ids)}))`.execute(
    db,
  )
  const cancelled = rows.map(({ notification_id }) => notification_id)
  if (cancelled.length > 0) await cancelDeliveries(db, cancelled)
  return new Set(cancelled)
}

/** Rows are locked in the order of their ids, as claims lock them, and judged by what they say once they are locked. */
async function cancelDeliveries(db: Kysely<Database>, ids: readonly string[]): Promise<void> {
  await sql`
    WITH locked AS (
      SELECT id FROM deliveries
      WHERE notification_id = ANY(${ids}::uuid[])
        AND status IN ('accepted', 'scheduled', 'queued', 'retrying', 'sending')
      ORDER BY id FOR UPDATE
    )
    UPDATE deliveries d SET
      status = CASE d.status WHEN 'sending' THEN 'sending' ELSE 'cancelled' END,
      reason = CASE d.status WHEN 'sending' THEN d.reason END,
      due_at = CASE d.status WHEN 'sending' THEN d.due_at END,
      cancel_requested_at = clock_timestamp(),
      updated_at = clock_timestamp()
    FROM locked WHERE d.id = locked.id`.execute(db)
}
