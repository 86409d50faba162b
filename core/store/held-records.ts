import { type Kysely, sql } from 'kysely'
import type { RecordToProduce } from '../broker/broker.ts'
import type { RecordVerdict } from '../notification/status.ts'
import type { Database } from './schema.ts'
import { storableText } from './storable-text.ts'

/** What a delivery is for as long as a record of it is of use. */
export interface HeldState {
  status: 'queued' | 'retrying' | 'dead_lettered'
  replayEpoch: number
  attempt: number
}

/** A record that is to be kept until its topic takes it. */
export interface RecordToHold extends RecordToProduce {
  headers: Readonly<Record<string, string>>
  /** Of a record that belongs to no delivery, an id of its own. */
  delivery: string
  /** `null`: a dead letter that nobody can read. */
  state: HeldState | null
}

/** The state of a delivery whose first record was never written. */
export const neverWritten: HeldState = { status: 'queued', replayEpoch: 0, attempt: 0 }

/**
 * Keeps records that their topic does not take, and says so of their deliveries. A record takes the place of one that was kept for what its delivery was
 * before; one for what its delivery is no more is not kept. Safe to repeat.
 */
export async function holdRecords(db: Kysely<Database>, records: readonly RecordToHold[]): Promise<void> {
  // Of one delivery there may be several, each for something else that it was: only its row says which is of use.
  const unique = [...new Map(records.map((record) => [keyOf(record), record])).values()]
  // What nobody can read may hold what PostgreSQL has no place for in a text.
  const headersOf = ({ headers }: RecordToHold) => JSON.stringify(headers).replaceAll('\\u0000', '\\ufffd')
  // Two who keep the same wait for each other at the row of the delivery; what belongs to none is kept in the order of the ids.
  await sql`
    WITH input AS (
      SELECT * FROM unnest(
        ${unique.map(({ delivery }) => delivery)}::uuid[],
        ${unique.map(({ state }) => state?.status)}::text[],
        ${unique.map(({ state }) => state?.replayEpoch ?? 0)}::int[],
        ${unique.map(({ state }) => state?.attempt ?? 0)}::int[],
        ${unique.map(({ topic }) => topic)}::text[],
        ${unique.map(({ key }) => key && storableText(key))}::text[],
        ${unique.map(({ value }) => value)}::bytea[],
        ${unique.map(headersOf)}::jsonb[]
      ) WITH ORDINALITY AS t (id, status, replay_epoch, attempt, topic, key, value, headers, n)
    ), locked AS (
      SELECT d.id, i.n FROM (SELECT * FROM input ORDER BY id) i
      CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE id = i.id AND status = i.status AND replay_epoch = i.replay_epoch AND attempt = i.attempt
        FOR UPDATE
      ) d
    ), kept AS (
      INSERT INTO held_records AS h
        (delivery_id, status, replay_epoch, attempt, topic, key, value, headers, held_at)
      SELECT id, status, replay_epoch, attempt, topic, key, value, headers, clock_timestamp()
      FROM input WHERE status IS NULL OR n IN (SELECT n FROM locked)
      ORDER BY CASE WHEN status IS NULL THEN id END, n
      ON CONFLICT (delivery_id) DO UPDATE SET
        sequence = DEFAULT, status = excluded.status, replay_epoch = excluded.replay_epoch,
        attempt = excluded.attempt, topic = excluded.topic, key = excluded.key, value = excluded.value,
        headers = excluded.headers, held_at = excluded.held_at
      WHERE (h.status, h.replay_epoch, h.attempt)
        IS DISTINCT FROM (excluded.status, excluded.replay_epoch, excluded.attempt)
    )
    UPDATE deliveries d SET reason = 'topic_unavailable', updated_at = clock_timestamp()
    FROM locked l WHERE d.id = l.id AND d.status <> 'dead_lettered'`.execute(db)
}

function keyOf({ delivery, state }: RecordToHold): string {
  return [delivery, state?.status, state?.replayEpoch, state?.attempt].join('/')
}

/** A delivery whose record its topic will never take. */
export interface RefusedDelivery {
  delivery: string
  reason: RecordVerdict
}

/** Ends deliveries whose first record their topic will never take. */
export async function failRefused(db: Kysely<Database>, refused: readonly RefusedDelivery[]): Promise<void> {
  await sql`
    WITH input AS (
      SELECT * FROM unnest(
        ${refused.map(({ delivery }) => delivery)}::uuid[], ${refused.map(({ reason }) => reason)}::text[]
      ) AS t (id, reason)
    ), locked AS (
      SELECT d.id, i.reason FROM deliveries d JOIN input i USING (id)
      WHERE d.status = 'queued' AND d.attempt = 0 ORDER BY d.id FOR UPDATE OF d
    )
    UPDATE deliveries d SET status = 'failed', reason = l.reason, updated_at = clock_timestamp()
    FROM locked l WHERE d.id = l.id`.execute(db)
}
