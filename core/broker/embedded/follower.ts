import type { Logger } from '../../observability/logger.ts'
import { BrokerError, type ConsumedRecord, type Follower } from '../broker.ts'
import type { Fetcher } from './fetch.ts'
import { type Cursor, Reader } from './reader.ts'
import { STORE_PATIENCE_MS, storeUnavailable } from './store-access.ts'
import type { Partition, Topics } from './topics.ts'

export interface FollowOptions {
  topics: Topics
  fetcher: Fetcher
  logger: Logger
  topic: string
  onRecord: (record: ConsumedRecord) => void
  onClosed: () => void
}

/** Follows one topic, and its partitions that are added later. As `Broker.follow`. */
export class EmbeddedFollower implements Follower {
  readonly #options: FollowOptions
  readonly #reader: Reader
  readonly #caughtUp = Promise.withResolvers<void>()
  readonly #behind: Map<Cursor, number>
  readonly #onChange = (topic: string): void => this.#adopt(topic)
  #cursors: Cursor[]
  #impatient: NodeJS.Timeout | undefined
  #closed = false

  /** Throws `unknown_topic`. */
  constructor(options: FollowOptions) {
    const { topics, fetcher, logger, topic } = options
    this.#options = options
    this.#cursors = topics.require(topic).partitions.map(fromBeginning)
    this.#behind = new Map(
      this.#cursors
        .filter(({ position, partition }) => position < partition.end)
        .map((cursor) => [cursor, cursor.partition.end]),
    )
    this.#reader = new Reader({
      topics,
      fetcher,
      onRead: (cursor, records) => this.#take(cursor, records),
      onFailure: (error) => {
        logger.warn({ err: error, topic }, 'Cannot read on; it is tried again')
        if (this.#behind.size === 0) return
        this.#impatient ??= setTimeout(
          () => this.#caughtUp.reject(storeUnavailable(error)),
          STORE_PATIENCE_MS,
        )
      },
    })
    // Nobody may be waiting for it any more.
    this.#caughtUp.promise.catch(() => {})
    topics.on('changed', this.#onChange)
    this.#reader.read(this.#cursors)
    if (this.#behind.size === 0) this.#caughtUp.resolve()
  }

  /** Resolves when everything that was in the topic at the start has been handed over; closes and rejects when that cannot be. */
  async caughtUp(): Promise<void> {
    try {
      await this.#caughtUp.promise
    } catch (error) {
      await this.close()
      throw error
    } finally {
      clearTimeout(this.#impatient)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#options.topics.off('changed', this.#onChange)
    this.#reader.stop()
    this.#caughtUp.reject(new BrokerError('closed', 'the follower was closed'))
    this.#options.onClosed()
  }

  #take(cursor: Cursor, records: readonly ConsumedRecord[]): void {
    clearTimeout(this.#impatient)
    this.#impatient = undefined
    for (const record of records) {
      if (this.#closed) return
      this.#options.onRecord(record)
    }
    const goal = this.#behind.get(cursor)
    if (goal === undefined || cursor.position < goal) return
    this.#behind.delete(cursor)
    if (this.#behind.size === 0) this.#caughtUp.resolve()
  }

  #adopt(topic: string): void {
    if (topic !== this.#options.topic) return
    const known = new Map(this.#cursors.map((cursor) => [cursor.partition, cursor]))
    const partitions = this.#options.topics.find(topic)?.partitions ?? []
    // Deleted, and perhaps created again: what was to be read first is gone.
    if ([...this.#behind.keys()].some(({ partition }) => !partitions.includes(partition))) {
      this.#caughtUp.reject(new BrokerError('unknown_topic', `topic ${topic} was deleted`))
    }
    this.#cursors = partitions.map((partition) => known.get(partition) ?? fromBeginning(partition))
    this.#reader.read(this.#cursors)
  }
}

function fromBeginning(partition: Partition): Cursor {
  return { partition, position: partition.begin, paused: false }
}
