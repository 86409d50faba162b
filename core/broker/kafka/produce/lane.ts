import type { BrokerError, RecordHeaders, RecordToProduce, TopicPartitionOffset } from '../../broker.ts'
import type { Call } from './calls.ts'

/** A record on its way into one partition. */
export interface Outgoing {
  readonly call: Call
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: RecordHeaders | undefined
  readonly bytes: number
  /** Tells its call where it is. */
  appended(position: TopicPartitionOffset): void
}

/** What Kafka adds to the bytes of a record, at most: lengths, attributes and deltas. */
const RECORD_OVERHEAD = 32
/** The header of a batch. */
const BATCH_OVERHEAD = 61

/** A record's bytes in a batch, not far below and never above the truth by more than its overhead. */
export function sizeOf({ key, value, headers }: Pick<RecordToProduce, 'key' | 'value' | 'headers'>): number {
  let size = RECORD_OVERHEAD + (key === null ? 0 : Buffer.byteLength(key)) + (value?.length ?? 0)
  for (const name in headers) size += Buffer.byteLength(name) + Buffer.byteLength(headers[name]!) + 4
  return size
}

/** The records that wait for one partition, in order. */
export class Lane {
  readonly topic: string
  readonly partition: number
  /** Records of this lane are on their way: the next ones wait, so that a retry cannot overtake. */
  inFlight = false
  /** Not before this time, on the monotonic clock. */
  notBefore = 0
  /** How often in a row it did not go well. */
  failures = 0
  /** Records of one batch at the most: few while it is being found out which one the broker takes for invalid. */
  maxRecords = Infinity
  /** When the broker first said that the partition does not exist. */
  unknownSince: number | undefined
  #waiting: Outgoing[] = []

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get empty(): boolean {
    return this.#waiting.length === 0
  }

  push(record: Outgoing): void {
    this.#waiting.push(record)
  }

  /** Takes the records of one batch: at least one, when any waits whose call still does. */
  take(maxBytes: number): Outgoing[] {
    this.dropSettled()
    let bytes = BATCH_OVERHEAD
    let count = 0
    for (const record of this.#waiting) {
      bytes += record.bytes
      if (count > 0 && (bytes > maxBytes || count >= this.maxRecords)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Puts back what was taken, before all others. */
  putBack(records: readonly Outgoing[]): void {
    this.#waiting = [...records, ...this.#waiting]
  }

  /** Rejects the calls of everything that waits. */
  fail(error: BrokerError): void {
    for (const { call } of this.#waiting.splice(0)) call.reject(error)
  }

  /** Forgets records whose call has been answered already: nobody waits for them. */
  dropSettled(): void {
    if (this.#waiting.some(({ call }) => call.settled)) {
      this.#waiting = this.#waiting.filter(({ call }) => !call.settled)
    }
  }
}
