/**
 * The Broker port: what Carillon needs from a partitioned log, in Kafka's terms. `kafka.ts` and `embedded.ts` implement it;
 * `test/conformance/broker.ts` says what an implementation must do, and a real Kafka decides what is right.
 */

/** One partition of a topic. */
export interface TopicPartition {
  topic: string
  partition: number
}

/** `topic/partition`: a key that tells partitions apart. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/**
 * A position in a partition. Offsets rise strictly but have gaps (compaction, transaction markers), so never compute the "next" offset
 * of a record by counting; only `offset + 1` of a record seen is a valid position to commit.
 */
export interface TopicPartitionOffset extends TopicPartition {
  offset: number
}

/** Header values are UTF-8 text. A header that occurs twice keeps its last value. */
export type RecordHeaders = Readonly<Record<string, string>>

export interface RecordToProduce {
  topic: string
  /** Chosen from the key by Kafka's default partitioner (murmur2) when absent; a record without a key needs it or gets any partition. */
  partition?: number
  key: string | null
  /** `null` is a tombstone: it deletes the key from a compacted topic. */
  value: Buffer | null
  headers?: RecordHeaders
}

export interface ConsumedRecord {
  topic: string
  partition: number
  offset: number
  key: string | null
  value: Buffer | null
  headers: RecordHeaders
  /** Milliseconds since the epoch: when it was produced. */
  timestamp: number
}

export interface Producer {
  /**
   * Appends the records durably (`acks=all`) and answers their positions in the order given.
   * Rejects with a {@link BrokerError} when any record is not known to be appended: some of them may be in the log all the same, so a
   * caller that repeats must be ready for duplicates. Bounded: `queue_full` at once when too much is waiting, `unavailable` after about 5 s.
   */
  produce(records: readonly RecordToProduce[]): Promise<TopicPartitionOffset[]>
}

/** The partitions that this member owns from now on, until the next assignment. The epoch rises with every rebalance. */
export interface Assignment {
  epoch: number
  partitions: readonly TopicPartition[]
}

/** Records of one partition in offset order. `epoch` is that of the assignment under which they were fetched. */
export interface FetchedRecords extends TopicPartition {
  epoch: number
  records: readonly ConsumedRecord[]
}

export interface ConsumerHandlers {
  /** A new assignment replaces the one before as a whole: every earlier epoch is over, nothing is paused any more. */
  onAssigned(assignment: Assignment): void
  /** The epoch is over; work in flight may finish, but can no longer be committed. Called before the next `onAssigned` and at stop. */
  onRevoked(epoch: number): void
  /** Takes records over. Must return at once: back-pressure is `pause`, never a slow handler. Must not throw. */
  onRecords(fetched: FetchedRecords): void
  /** The consumer is down and tries to come back by itself (`fatal: false`), or never will (`fatal: true`). */
  onError(error: BrokerError, fatal: boolean): void
  /** After an `onError` that was not fatal the consumer works again, under the assignment that it had. */
  onRecovered?(): void
}

export interface ConsumerOptions {
  group: string
  topics: readonly string[]
  handlers: ConsumerHandlers
}

/** A member of a consumer group. A partition without a committed offset is read from its beginning. */
export interface Consumer {
  /** Joins the group; resolves once the first assignment has been handed over. */
  start(): Promise<void>
  /** Stops handing over records of these partitions from now on; records handed over before stay with the caller. Not owned: ignored. */
  pause(partitions: readonly TopicPartition[]): void
  /** Hands over records again, going on after the last one handed over. Takes effect within about 250 ms. */
  resume(partitions: readonly TopicPartition[]): void
  /**
   * Commits the position to read next (last finished offset + 1) of each partition. Rejects with `stale_epoch`, and commits
   * nothing, when the epoch is over or a partition is not owned: a broker would accept that commit and rewind its new owner.
   */
  commit(epoch: number, offsets: readonly TopicPartitionOffset[]): Promise<void>
  /** Leaves the group. Commit before: nothing can be committed afterwards. */
  stop(): Promise<void>
}

export interface TopicSpec {
  name: string
  partitions: number
  replicas: number
  /** Kafka's topic configuration names: `cleanup.policy`, `retention.ms`, … */
  config: Readonly<Record<string, string>>
}

export interface TopicDescription extends TopicSpec {}

/** Lag of a group on one partition, in records: `end - max(committed, beginning)`; with nothing committed, all that is in the log. */
export interface PartitionLag extends TopicPartition {
  group: string
  beginning: number
  end: number
  committed: number | null
  lag: number
}

export interface Admin {
  /**
   * Creates what is missing; leaves a topic that exists as it is. Answers the names of those that were there before. One that was made by a try of
   * this call whose answer was lost is not among them.
   */
  createTopics(topics: readonly TopicSpec[]): Promise<string[]>
  /** The names of all topics that begin so. Asks for the whole list: not to be asked often. */
  listTopics(prefix: string): Promise<string[]>
  /** Topics that do not exist are absent from the answer. */
  describeTopics(names: readonly string[]): Promise<TopicDescription[]>
  /** Grows a topic to `partitions`. Fewer than it has is refused with `invalid`. */
  growPartitions(topic: string, partitions: number): Promise<void>
  /** Sets the named configuration keys and keeps all others. */
  alterConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void>
  /** Topics that do not exist are ignored. */
  deleteTopics(names: readonly string[]): Promise<void>
  /**
   * Lag of the named groups on every partition of the named topics, in a handful of requests.
   * An unreadable lag rejects; it is never reported as 0.
   */
  lag(subscriptions: readonly { group: string; topics: readonly string[] }[]): Promise<PartitionLag[]>
  /**
   * The position, in every partition of the topics, of the first record produced at or after a point in time (milliseconds since the epoch); the
   * end of the partition where there is none. In a handful of requests. Rejects when any cannot be read.
   */
  offsetsAt(points: readonly { topic: string; timestamp: number }[]): Promise<TopicPartitionOffset[]>
}

export interface Follower {
  /** Stops following. */
  close(): Promise<void>
}

export interface Broker {
  readonly producer: Producer
  readonly admin: Admin
  consumer(options: ConsumerOptions): Consumer
  /**
   * Reads a whole topic from its beginning, without a group, and goes on following it. Resolves when everything that was
   * in the topic at the call has been handed over. Records of one partition arrive in order.
   */
  follow(topic: string, onRecord: (record: ConsumedRecord) => void): Promise<Follower>
  /** Flushes what waits, stops consumers and followers, closes connections. */
  close(): Promise<void>
}

export type BrokerErrorCode =
  | 'unavailable'
  | 'queue_full'
  | 'unknown_topic'
  | 'record_too_large'
  /** What the broker says of one record, such as one without a key for a compacted topic. */
  | 'invalid_record'
  | 'stale_epoch'
  | 'invalid'
  | 'unauthorized'
  | 'closed'

/** Every failure of a broker. `message` is one line fit for a log; it holds no payload. */
export class BrokerError extends Error {
  readonly code: BrokerErrorCode

  constructor(code: BrokerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BrokerError'
    this.code = code
  }
}
