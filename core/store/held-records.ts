import { type Kysely, sql } from 'kysely'
import type { RecordToProduce } from '../broker/broker.ts'
import type { Database } from './schema.ts'

/** The record of a delivery. */
export interface DeliveryRecord extends RecordToProduce {
  value: Buffer
  headers: Readonly<Record<string, string>>
  delivery: string
  expiresAt: string
}

/** Records that wait for their topic, as whoever writes them sees them. */
export interface HeldStore {
  /** Topics for which records wait, each with the time at which its oldest began to. */
  topics(): Promise<{ topic: string; since: Date }[]>
  /** The records that have waited longest for a topic, in order. */
  read(topic: string, limit: number): Promise<DeliveryRecord[]>
  /** Forgets records that are written now. */
  strikeOff(deliveries: readonly string[]): Promise<void>
  /** Ends deliveries that their topic refuses for their size. */
  failTooLarge(deliveries: readonly string[]): Promise<void>
  /**
   * Looks at some records in the order of their deliveries' ids, from beyond `after` or from the beginning, and forgets those whose delivery no
   * longer waits for its first attempt. Answers the id that it came to; `undefined` at the end.
   */
  dropEnded(after: string | undefined): Promise<string | undefined>
}

export function openHeldStore(db: Kysely<Database>): HeldStore {
  return {
    topics: () => heldTopics(db),
    read: (topic, limit) => readHeld(db, topic, limit),
    strikeOff: (deliveries) => strikeOffHeld(db, deliveries),
    failTooLarge: (deliveries) => failTooLarge(db, deliveries),
    dropEnded: (after) => dropEnded(db, after),
  }
}

/** Records looked at in one statement. */
const pageSize = 2_000
const nil = '00000000-0000-0000-0000-000000000000'

/** Keeps records that their topic does not take, and says so of their deliveries. Safe to repeat. */
export async function holdRecords(db: Kysely<Database>, records: readonly DeliveryRecord[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('held_records')
      .values(
        records.map(({ delivery, topic, key, value, headers, expiresAt }) => ({
          delivery_id: delivery,
          topic,
          key,
          value,
          headers: JSON.stringify(headers),
          expires_at: expiresAt,
          held_at: sql<Date>`clock_timestamp()`,
        })),
      )
      .onConflict((conflict) => conflict.column('delivery_id').doNothing())
      .execute()
    await setWaiting(
      transaction,
      records.map(({ delivery }) => delivery),
      { status: 'queued', reason: 'topic_unavailable' },
    )
  })
}

/** Ends deliveries that their topic refuses for their size. */
export function failTooLarge(db: Kysely<Database>, deliveries: readonly string[]): Promise<void> {
  return setWaiting(db, deliveries, { status: 'failed', reason: 'too_large' })
}

/** Costs a look at the index per topic. */
async function heldTopics(db: Kysely<Database>): Promise<{ topic: string; since: Date }[]> {
  const { rows } = await sql<{ topic: string; since: Date }>`
    WITH RECURSIVE topics AS (
      (SELECT topic FROM held_records ORDER BY topic LIMIT 1)
      UNION ALL
      SELECT (SELECT h.topic FROM held_records h WHERE h.topic > t.topic ORDER BY h.topic LIMIT 1)
      FROM topics t WHERE t.topic IS NOT NULL
    )
    SELECT t.topic, oldest.held_at AS since FROM topics t
    CROSS JOIN LATERAL (SELECT held_at FROM held_records h WHERE h.topic = t.topic ORDER BY sequence LIMIT 1) oldest
    WHERE t.topic IS NOT NULL`.execute(db)
  return rows
}

async function readHeld(db: Kysely<Database>, topic: string, limit: number): Promise<DeliveryRecord[]> {
  const rows = await db
    .selectFrom('held_records')
    .selectAll()
    .where('topic', '=', topic)
    .orderBy('sequence')
    .limit(limit)
    .execute()
  return rows.map(({ delivery_id, key, value, headers, expires_at }) => ({
    topic,
    key,
    value,
    headers,
    delivery: delivery_id,
    expiresAt: expires_at.toISOString(),
  }))
}

async function strikeOffHeld(db: Kysely<Database>, deliveries: readonly string[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction
      .deleteFrom('held_records')
      .where('delivery_id', '=', (eb) => eb.fn.any(sql.val(deliveries)))
      .execute()
    await setWaiting(transaction, deliveries, { status: 'queued', reason: null })
  })
}

async function dropEnded(db: Kysely<Database>, after = nil): Promise<string | undefined> {
  const { rows } = await sql<{ visited: number; last: string | null }>`
    WITH page AS (
      SELECT delivery_id FROM held_records WHERE delivery_id > ${after}::uuid ORDER BY delivery_id LIMIT ${pageSize}
    ), dropped AS (
      DELETE FROM held_records h USING page p WHERE h.delivery_id = p.delivery_id AND NOT EXISTS (
        SELECT FROM deliveries d WHERE d.id = p.delivery_id AND d.status = 'queued' AND d.attempt = 0
      )
    )
    SELECT count(*) AS visited, (array_agg(delivery_id ORDER BY delivery_id DESC))[1] AS last FROM page`.execute(
    db,
  )
  const { visited, last } = rows[0]!
  return visited < pageSize ? undefined : last!
}

/** Of deliveries that nobody has claimed yet. Rows are locked in the order of their ids, as claims lock them. */
async function setWaiting(
  db: Kysely<Database>,
  deliveries: readonly string[],
  { status, reason }: { status: 'queued' | 'failed'; reason: 'topic_unavailable' | 'too_large' | null },
): Promise<void> {
  await sql`
    WITH locked AS (
      SELECT id FROM deliveries WHERE id = ANY(${deliveries}::uuid[]) AND status = 'queued' AND attempt = 0
      ORDER BY id FOR UPDATE
    )
    UPDATE deliveries d SET status = ${status}, reason = ${reason}, updated_at = clock_timestamp()
    FROM locked WHERE d.id = locked.id`.execute(db)
}
