import { CompiledQuery, type Kysely, sql } from 'kysely'
import type { Database } from '../../store/schema.ts'
import type { Partition, Topics } from './topics.ts'

/** A record as it is stored. */
export interface EncodedRecord {
  readonly partition: Partition
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** JSON, or `null` for none. */
  readonly headers: Buffer | null
}

export interface AppendOptions {
  db: Kysely<Database>
  topics: Topics
  /** Stays the same when the same records are appended again because the first outcome is not known. */
  batchId: string
  records: readonly EncodedRecord[]
  /** Milliseconds since the epoch. */
  timestamp: number
}

/**
 * Appends records in one statement, all or none, and answers their offsets. Repeating it with the same `batchId` after a lost
 * answer finds out whether they are in the log, so that they never get there twice. Every partition must exist.
 */
export async function append(options: AppendOptions): Promise<number[]> {
  const { db, topics, batchId, records } = options
  for (;;) {
    const { offsets, ends } = number(records)
    if (await insert(options, offsets, ends)) {
      topics.advance(ends)
      return offsets
    }
    // The store is ahead of us: an earlier try of this batch, or of one that its callers gave up, was committed after all.
    const stored = await readEnds(db, [...ends.keys()])
    topics.advance(new Map([...stored].map(([partition, { end }]) => [partition, end])))
    if ([...stored.values()].every(({ lastBatch }) => lastBatch === batchId)) {
      const counts = Map.groupBy(records, ({ partition }) => partition)
      const next = new Map([...counts].map(([partition, { length }]) => [partition, partition.end - length]))
      return records.map(({ partition }) => {
        const offset = next.get(partition)!
        next.set(partition, offset + 1)
        return offset
      })
    }
  }
}

function number(records: readonly EncodedRecord[]): { offsets: number[]; ends: Map<Partition, number> } {
  const ends = new Map<Partition, number>()
  const offsets = records.map(({ partition }) => {
    const offset = ends.get(partition) ?? partition.end
    ends.set(partition, offset + 1)
    return offset
  })
  return { offsets, ends }
}

// The bytes of all records travel as one binary parameter and are cut up by the server: an array of bytea would have to be written
// as hexadecimal text. The end offsets are compared and moved in the statement that inserts, so that it is all or nothing.
const insertSql = `
  WITH target AS MATERIALIZED (
    SELECT p.id, t.next
    FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS t(id, base, next)
    JOIN broker_partitions p ON p.id = t.id AND p.end_offset = t.base
    FOR UPDATE OF p
  ), complete AS MATERIALIZED (
    SELECT count(*) = cardinality($1::int[]) AS yes FROM target
  ), moved AS (
    UPDATE broker_partitions p SET end_offset = t.next, last_batch = $4::uuid
    FROM target t WHERE p.id = t.id AND (SELECT yes FROM complete)
  ), added AS (
    INSERT INTO broker_records (partition_id, "offset", "timestamp", key, value, headers)
    SELECT r.id, r."offset", $5::bigint,
      CASE WHEN r.key >= 0 THEN substring($6::bytea FROM r.start FOR r.key) END,
      CASE WHEN r.value >= 0 THEN substring($6::bytea FROM r.start + greatest(r.key, 0) FOR r.value) END,
      CASE WHEN r.headers >= 0 THEN
        substring($6::bytea FROM r.start + greatest(r.key, 0) + greatest(r.value, 0) FOR r.headers) END
    FROM unnest($7::int[], $8::bigint[], $9::int[], $10::int[], $11::int[], $12::int[])
      AS r(id, "offset", start, key, value, headers)
    WHERE (SELECT yes FROM complete)
  )
  SELECT yes FROM complete`

async function insert(
  { db, batchId, records, timestamp }: AppendOptions,
  offsets: readonly number[],
  ends: ReadonlyMap<Partition, number>,
): Promise<boolean> {
  const partitions = [...ends.keys()]
  const starts: number[] = []
  let start = 1
  for (const { key, value, headers } of records) {
    starts.push(start)
    start += (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0)
  }
  const bytes = records.flatMap(({ key, value, headers }) =>
    [key, value, headers].filter((part) => part !== null),
  )
  const result = await db.executeQuery<{ yes: boolean }>(
    CompiledQuery.raw(insertSql, [
      partitions.map(({ id }) => id),
      partitions.map(({ end }) => end),
      [...ends.values()],
      batchId,
      timestamp,
      Buffer.concat(bytes),
      records.map(({ partition }) => partition.id),
      offsets,
      starts,
      records.map(({ key }) => key?.length ?? -1),
      records.map(({ value }) => value?.length ?? -1),
      records.map(({ headers }) => headers?.length ?? -1),
    ]),
  )
  return result.rows[0]?.yes === true
}

async function readEnds(
  db: Kysely<Database>,
  partitions: readonly Partition[],
): Promise<Map<Partition, { end: number; lastBatch: string | null }>> {
  const { rows } = await sql<{ id: number; end: number; last_batch: string | null }>`
    SELECT id, end_offset AS end, last_batch FROM broker_partitions
    WHERE id = ANY(${partitions.map(({ id }) => id)}::int[])`.execute(db)
  const byId = new Map(rows.map((row) => [row.id, { end: row.end, lastBatch: row.last_batch }]))
  return new Map(
    partitions.map((partition) => {
      const stored = byId.get(partition.id)
      if (!stored) throw new Error('a partition is missing in the store')
      return [partition, stored]
    }),
  )
}
