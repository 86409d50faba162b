import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '../../clock.ts'
import type { Database } from '../../store/schema.ts'
import { BrokerError, type RecordToProduce, type TopicPartitionOffset } from '../broker.ts'
import { partitionForKey } from '../partitioner.ts'
import { append, type EncodedRecord } from './append.ts'
import type { Partition, Topic, Topics } from './topics.ts'
import { type Batch, WriteQueue } from './write-queue.ts'

/** What may wait to be written before `queue_full`. A call is always taken when nothing waits, however large. */
const MAX_WAITING_RECORDS = 20_000
const MAX_WAITING_BYTES = 64 * 1024 * 1024
/** What one statement writes at most, unless a single call is larger. */
const MAX_BATCH_RECORDS = 5_000
const MAX_BATCH_BYTES = 8 * 1024 * 1024
/** What Kafka adds to the bytes of a record that is alone in its batch: 61 of the batch's header, and the record's own fields. */
const RECORD_OVERHEAD = 68

interface Call {
  readonly records: readonly EncodedRecord[]
  readonly bytes: number
}

/** The write side of the log: encodes, bounds and coalesces what producers bring, and appends it durably. */
export class LogWriter {
  readonly #db: Kysely<Database>
  readonly #topics: Topics
  readonly #clock: Clock
  readonly #queue: WriteQueue<Call, TopicPartitionOffset[]>
  #waitingRecords = 0
  #waitingBytes = 0
  #keyless = 0

  constructor({ db, topics, clock }: { db: Kysely<Database>; topics: Topics; clock: Clock }) {
    this.#db = db
    this.#topics = topics
    this.#clock = clock
    this.#queue = new WriteQueue({ take: takeCalls, write: (batch) => this.#write(batch) })
  }

  /** As `Producer.produce`. */
  async produce(records: readonly RecordToProduce[]): Promise<TopicPartitionOffset[]> {
    if (records.length === 0) return []
    const encoded = records.map((record) => this.#encode(record))
    const bytes = encoded.reduce((sum, record) => sum + sizeOf(record), 0)
    const full =
      this.#waitingRecords + encoded.length > MAX_WAITING_RECORDS ||
      this.#waitingBytes + bytes > MAX_WAITING_BYTES
    if (this.#waitingRecords > 0 && full) {
      throw new BrokerError('queue_full', 'too many records wait for the store of the embedded broker')
    }
    this.#waitingRecords += encoded.length
    this.#waitingBytes += bytes
    try {
      return await this.#queue.push({ records: encoded, bytes })
    } finally {
      this.#waitingRecords -= encoded.length
      this.#waitingBytes -= bytes
    }
  }

  #encode({ topic: name, partition, key, value, headers }: RecordToProduce): EncodedRecord {
    const topic = this.#topics.require(name)
    const names = Object.keys(headers ?? {})
    const record = {
      partition: this.#choose(topic, key, partition),
      key: key === null ? null : Buffer.from(key, 'utf8'),
      value,
      headers: names.length === 0 ? null : Buffer.from(JSON.stringify(headers), 'utf8'),
    }
    if (sizeOf(record) > topic.rules.maxMessageBytes) {
      throw new BrokerError('record_too_large', `a record for ${name} is above its max.message.bytes`)
    }
    if (key === null && topic.rules.compacted) {
      throw new BrokerError('invalid_record', `${name} is compacted, and takes no record without a key`)
    }
    return record
  }

  #choose({ name, partitions }: Topic, key: string | null, partition: number | undefined): Partition {
    const number = partition ?? (key === null ? this.#keyless++ : partitionForKey(key, partitions.length))
    const chosen = partitions[partition ?? number % partitions.length]
    if (!chosen) throw new BrokerError('unknown_topic', `topic ${name} has no partition ${number}`)
    return chosen
  }

  #write({ id, items }: Batch<Call>): Promise<(TopicPartitionOffset[] | BrokerError)[]> {
    return this.#topics.mutex.run(async () => {
      const alive = new Set(
        items.filter((call) => call.records.every(({ partition }) => this.#topics.has(partition))),
      )
      const records = [...alive].flatMap((call) => call.records)
      const offsets =
        records.length === 0
          ? []
          : await append({
              db: this.#db,
              topics: this.#topics,
              // What is left of a batch whose topics were deleted meanwhile is another batch.
              batchId: alive.size === items.length ? id : randomUUID(),
              records,
              timestamp: this.#clock.now(),
            })
      let next = 0
      return items.map((call) => {
        if (!alive.has(call)) return new BrokerError('unknown_topic', 'the topic was deleted')
        return call.records.map(({ partition: { topic, partition } }) => ({
          topic,
          partition,
          offset: offsets[next++]!,
        }))
      })
    })
  }
}

function takeCalls(calls: readonly Call[]): number {
  let taken = 0
  let records = 0
  let bytes = 0
  for (const call of calls) {
    records += call.records.length
    bytes += call.bytes
    if (taken > 0 && (records > MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES)) break
    taken++
  }
  return taken
}

function sizeOf({ key, value, headers }: Pick<EncodedRecord, 'key' | 'value' | 'headers'>): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0) + RECORD_OVERHEAD
}
