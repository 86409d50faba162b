import { type Kysely, sql } from 'kysely'
import type { Database } from '../../store/schema.ts'
import type { ConsumedRecord, RecordHeaders } from '../broker.ts'
import type { Partition } from './topics.ts'

/** What one fetch hands over at most; a record larger than the bytes still comes, alone. */
const MAX_RECORDS = 500
const MAX_BYTES = 1024 * 1024
/** Fetches under way at once in the whole process: readers must leave connections to writers and to the rest of Carillon. */
const SLOTS = 3

interface Row {
  offset: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: Buffer | null
}

/** Reads records of one partition from a position on. Readers that wait for a slot get it in turn. */
export class Fetcher {
  readonly #db: Kysely<Database>
  readonly #waiting: (() => void)[] = []
  #free = SLOTS

  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  async fetch(partition: Partition, position: number): Promise<ConsumedRecord[]> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await this.#read(partition, position)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }

  /** The first offset at or after each point in time; null where there is none. */
  async offsetsAt(
    points: readonly { partition: Partition; timestamp: number }[],
  ): Promise<(number | null)[]> {
    const { rows } = await sql<{ found: number | null }>`
      SELECT (
        SELECT "offset" FROM broker_records
        WHERE partition_id = point.id AND "timestamp" >= point.at
        ORDER BY "offset" LIMIT 1
      ) AS found
      FROM unnest(
        ${points.map(({ partition }) => partition.id)}::int[],
        ${points.map(({ timestamp }) => Math.trunc(timestamp))}::bigint[]
      ) WITH ORDINALITY AS point (id, at, n)
      ORDER BY n`.execute(this.#db)
    return rows.map(({ found }) => found)
  }

  async #read({ id, topic, partition }: Partition, position: number): Promise<ConsumedRecord[]> {
    const { rows } = await sql<Row>`
      SELECT "offset", "timestamp", key, value, headers
      FROM (
        SELECT *, sum(size) OVER (ORDER BY "offset") - size AS bytes_before
        FROM (
          SELECT "offset", "timestamp", key, value, headers,
            coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) + coalesce(octet_length(headers), 0) AS size
          FROM broker_records
          WHERE partition_id = ${id} AND "offset" >= ${position}
          ORDER BY "offset"
          LIMIT ${MAX_RECORDS}
        ) AS first
      ) AS sized
      WHERE bytes_before < ${MAX_BYTES}
      ORDER BY "offset"`.execute(this.#db)
    return rows.map(({ offset, timestamp, key, value, headers }) => ({
      topic,
      partition,
      offset,
      key: key?.toString('utf8') ?? null,
      value,
      headers: headers === null ? {} : (JSON.parse(headers.toString('utf8')) as RecordHeaders),
      timestamp,
    }))
  }
}
