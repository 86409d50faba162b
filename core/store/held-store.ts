import { type Kysely, type Selectable, sql } from 'kysely'
import { header } from '../notification/envelope.ts'
import { deadLettersOfRetry } from '../notification/topics.ts'
import type { RecordVerdict } from '../notification/status.ts'
import { failRefused, type HeldState, holdRecords, type RecordToHold } from './held-records.ts'
import { prepared } from './prepared.ts'
import type { Database, HeldRecordTable } from './schema.ts'

export interface HeldRecord extends RecordToHold {
  /** Rises in the order in which they came. */
  sequence: number
}

/** A record that its topic will never take. */
export interface RefusedRecord {
  record: HeldRecord
  reason: RecordVerdict
}

/** Records that wait for their topic, as whoever writes them sees them. */
export interface HeldStore {
  /** Topics for which records wait, each with the time at which its oldest began to. */
  topics(): Promise<{ topic: string; since: Date }[]>
  /** Those of these topics for which records wait. */
  behind(topics: readonly string[]): Promise<Set<string>>
  /** The records that have waited longest for a topic, in order: so many, or fewer when these have more than 8 MiB. */
  read(topic: string, limit: number): Promise<HeldRecord[]>
  /** Forgets records that are written now. */
  strikeOff(records: readonly HeldRecord[]): Promise<void>
  /** Ends deliveries whose first attempt, or the next, their topic will never take; the latter as dead letters, which wait in their turn. */
  endRefused(refused: readonly RefusedRecord[]): Promise<void>
  /**
   * Looks at some records in the order of their deliveries' ids, from beyond `after` or from the beginning, and forgets those that are of no use
   * any more. Answers the id that it came to; `undefined` at the end.
   */
  dropEnded(after: string | undefined): Promise<string | undefined>
}

/** The records that are held in PostgreSQL. */
export function openHeldStore(db: Kysely<Database>): HeldStore {
  return {
    topics: () => heldTopics(db),
    behind: (topics) => findBehind(db, topics),
    read: (topic, limit) => readHeld(db, topic, limit),
    strikeOff: (records) => strikeOffHeld(db, records),
    endRefused: (refused) => endRefused(db, refused),
    dropEnded: (after) => dropEnded(db, after),
  }
}

/** Records looked at in one statement. */
const pageSize = 2_000
/** Bytes of values that are read at once, beyond which the last one may go: what is read is in memory several times over. */
const maxBytes = 8 * 1024 * 1024
const nil = '00000000-0000-0000-0000-000000000000'
/** A dead letter that waits longer than a channel's topics keep theirs by default is forgotten: its topic may be gone with its channel. */
const deadLetterPatience = '168 hours'

async function endRefused(db: Kysely<Database>, refused: readonly RefusedRecord[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const of = (status: HeldState['status']) =>
      refused.filter(({ record }) => record.state?.status === status)
    await lockDeliveries(
      transaction,
      refused.map(({ record }) => record),
    )
    await failRefused(
      transaction,
      of('queued').map(({ record: { delivery }, reason }) => ({ delivery, reason })),
    )
    const letters = of('retrying').map(({ record, reason }) => ({
      ...record,
      topic: deadLettersOfRetry(record.topic),
      headers: { ...record.headers, [header.reason]: reason },
      state: { ...record.state!, status: 'dead_lettered' as const },
    }))
    await giveUp(transaction, letters)
    await holdRecords(transaction, letters)
  })
}

/** The database notes no such change by itself: elsewhere the worker that makes it tells of it. */
async function giveUp(db: Kysely<Database>, letters: readonly RecordToHold[]): Promise<void> {
  await sql`
    WITH input AS (
      SELECT * FROM unnest(
        ${letters.map(({ delivery }) => delivery)}::uuid[],
        ${letters.map(({ state }) => state?.replayEpoch)}::int[],
        ${letters.map(({ state }) => state?.attempt)}::int[],
        ${letters.map(({ headers }) => headers[header.reason])}::text[]
      ) AS t (id, replay_epoch, attempt, reason)
    ), locked AS (
      SELECT d.id, input.reason FROM deliveries d JOIN input USING (id, replay_epoch, attempt)
      WHERE d.status = 'retrying' ORDER BY d.id FOR UPDATE OF d
    ), ended AS (
      UPDATE deliveries d SET
        status = 'dead_lettered', reason = locked.reason, due_at = NULL, updated_at = clock_timestamp()
      FROM locked WHERE d.id = locked.id
      RETURNING d.id, d.replay_epoch, d.attempt, d.status, d.reason
    )
    INSERT INTO untold_changes (delivery_id, replay_epoch, attempt, status, reason)
    SELECT * FROM ended ON CONFLICT DO NOTHING`.execute(db)
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

async function findBehind(db: Kysely<Database>, topics: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ topic: string }>`${prepared('held_behind')}
    SELECT t.topic FROM json_array_elements_text(${JSON.stringify(topics)}) AS t (topic)
    WHERE EXISTS (SELECT FROM held_records h WHERE h.topic = t.topic)`.execute(db)
  return new Set(rows.map(({ topic }) => topic))
}

async function readHeld(db: Kysely<Database>, topic: string, limit: number): Promise<HeldRecord[]> {
  const { rows } = await sql<Selectable<HeldRecordTable>>`
    WITH page AS (
      SELECT delivery_id, sequence, coalesce(octet_length(value), 0) AS size
      FROM held_records WHERE topic = ${topic} ORDER BY sequence LIMIT ${limit}
    ), sized AS (
      SELECT delivery_id, sum(size) OVER (ORDER BY sequence) - size AS before FROM page
    )
    SELECT h.* FROM sized JOIN held_records h USING (delivery_id)
    WHERE before < ${maxBytes} ORDER BY h.sequence`.execute(db)
  return rows.map(({ delivery_id, sequence, key, value, headers, status, replay_epoch, attempt }) => ({
    topic,
    key,
    value,
    headers,
    delivery: delivery_id,
    state: status && { status, replayEpoch: replay_epoch, attempt },
    sequence,
  }))
}

/** A record that has taken the place of one of these meanwhile stays. The reason that a delivery had before it waited is in its record. */
async function strikeOffHeld(db: Kysely<Database>, records: readonly HeldRecord[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await lockDeliveries(transaction, records)
    await sql`
      WITH locked AS (
        SELECT h.delivery_id FROM held_records h JOIN unnest(
          ${records.map(({ delivery }) => delivery)}::uuid[], ${records.map(({ sequence }) => sequence)}::bigint[]
        ) AS t (delivery_id, sequence) USING (delivery_id, sequence)
        ORDER BY h.delivery_id FOR UPDATE OF h
      ), struck AS (
        DELETE FROM held_records h USING locked l WHERE h.delivery_id = l.delivery_id RETURNING h.*
      )
      UPDATE deliveries d SET
        reason = nullif(s.headers ->> ${header.reason}, 'topic_unavailable'), updated_at = clock_timestamp()
      FROM struck s
      WHERE d.id = s.delivery_id AND s.status <> 'dead_lettered'
        AND (d.status, d.replay_epoch, d.attempt) = (s.status, s.replay_epoch, s.attempt)`.execute(
      transaction,
    )
  })
}

/**
 * The one order in which deliveries and their records are locked: deliveries by their ids, as everybody locks them, then records. A worker may be
 * about to keep the next record of the same delivery.
 */
async function lockDeliveries(db: Kysely<Database>, records: readonly HeldRecord[]): Promise<void> {
  const ids = records.map(({ delivery }) => delivery)
  await sql`SELECT FROM deliveries WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE`.execute(db)
}

/** A record that somebody writes or keeps just now is left for the next look: nobody is waited for. */
async function dropEnded(db: Kysely<Database>, after = nil): Promise<string | undefined> {
  const { rows } = await sql<{ visited: number; last: string | null }>`
    WITH page AS (
      SELECT delivery_id FROM held_records WHERE delivery_id > ${after}::uuid ORDER BY delivery_id LIMIT ${pageSize}
    ), useless AS (
      SELECT h.delivery_id FROM held_records h JOIN page USING (delivery_id) WHERE (
        h.status IS NOT NULL AND NOT EXISTS (
          SELECT FROM deliveries d WHERE d.id = h.delivery_id
            AND d.status = h.status AND d.replay_epoch = h.replay_epoch AND d.attempt = h.attempt
        )
        OR coalesce(h.status, 'dead_lettered') = 'dead_lettered'
          AND h.held_at < clock_timestamp() - ${deadLetterPatience}::interval
      ) FOR UPDATE OF h SKIP LOCKED
    ), dropped AS (
      DELETE FROM held_records h USING useless u WHERE h.delivery_id = u.delivery_id
    )
    SELECT count(*) AS visited, (array_agg(delivery_id ORDER BY delivery_id DESC))[1] AS last FROM page`.execute(
    db,
  )
  const { visited, last } = rows[0]!
  return visited < pageSize ? undefined : last!
}
