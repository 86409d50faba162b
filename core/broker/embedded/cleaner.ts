import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../clock.ts'
import type { Database } from '../../store/schema.ts'
import type { Partition, Topics } from './topics.ts'

export interface CleanerOptions {
  db: Kysely<Database>
  topics: Topics
  clock: Clock
}

/**
 * Deletes what retention and compaction allow, in every topic. End offsets stay, so an offset is never used twice.
 * Unlike Kafka, which works in segments, it acts on single records and at once.
 */
export async function clean({ db, topics, clock }: CleanerOptions): Promise<void> {
  for (const { rules, partitions } of topics.all()) {
    for (const partition of partitions) {
      if (rules.retentionMs !== null) await expire(db, partition, clock.now() - rules.retentionMs)
      if (rules.compacted) await compact(db, partition, clock.now() - rules.deleteRetentionMs)
    }
  }
}

/** Deletes the records before the first one that is younger than `cutoff`. */
async function expire(db: Kysely<Database>, partition: Partition, cutoff: number): Promise<void> {
  const { end } = partition
  if (partition.begin === end) return
  const { rows } = await sql<{ offset: number }>`
    SELECT "offset" FROM broker_records
    WHERE partition_id = ${partition.id} AND "offset" >= ${partition.begin} AND "timestamp" >= ${cutoff}
    ORDER BY "offset" LIMIT 1`.execute(db)
  const begin = rows[0]?.offset ?? end
  if (begin <= partition.begin) return
  // The beginning moves first: what a crash leaves behind it is deleted the next time.
  await sql`UPDATE broker_partitions SET begin_offset = ${begin} WHERE id = ${partition.id}`.execute(db)
  partition.begin = begin
  await sql`
    DELETE FROM broker_records WHERE partition_id = ${partition.id} AND "offset" < ${begin}`.execute(db)
}

/** Keeps the last record of each key, and forgets tombstones older than `cutoff`. Kafka refuses records without a key here; they stay. */
async function compact(db: Kysely<Database>, { id }: Partition, cutoff: number): Promise<void> {
  await sql`
    DELETE FROM broker_records AS r
    USING (
      SELECT key, max("offset") AS newest FROM broker_records
      WHERE partition_id = ${id} AND key IS NOT NULL
      GROUP BY key
    ) AS latest
    WHERE r.partition_id = ${id} AND r.key = latest.key
      AND (r."offset" < latest.newest OR (r.value IS NULL AND r."timestamp" < ${cutoff}))`.execute(db)
}
