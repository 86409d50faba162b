import type { Logger } from '../../observability/logger.ts'
import type { ConsumedRecord, Follower } from '../broker.ts'
import type { Fetcher } from './fetch.ts'
import { type Cursor, Reader } from './reader.ts'
import { STORE_PATIENCE_MS, storeUnavailable } from './store-access.ts'
import type { Partition, Topics } from './topics.ts'

export interface FollowOptions {
  topics: Topics
  fetcher: Fetcher
  logger: Logger
  topic: string
  onRecord(record: ConsumedRecord): void
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

  private constructor(options: FollowOptions) {
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
        this.#impatient ??= setTimeout(
          () => this.#caughtUp.reject(storeUnavailable(error)),
          STORE_PATIENCE_MS,
        )
      },
    })
    topics.on('changed', this.#onChange)
    this.#reader.read(this.#cursors)
  }

  /** Resolves when everything that is in the topic now has been handed over; rejects with `unknown_topic` or `unavailable`. */
  static async open(options: FollowOptions): Promise<EmbeddedFollower> {
    const follower = new EmbeddedFollower(options)
    if (follower.#behind.size === 0) follower.#caughtUp.resolve()
    try {
      await follower.#caughtUp.promise
      return follower
    } catch (error) {
      await follower.close()
      throw error
    } finally {
      clearTimeout(follower.#impatient)
    }
  }

  async close(): Promise<void> {
    this.#options.topics.off('changed', this.#onChange)
    this.#reader.stop()
  }

  #take(cursor: Cursor, records: readonly ConsumedRecord[]): void {
    clearTimeout(this.#impatient)
    this.#impatient = undefined
    for (const record of records) this.#options.onRecord(record)
    const goal = this.#behind.get(cursor)
    if (goal === undefined || cursor.position < goal) return
    this.#behind.delete(cursor)
    if (this.#behind.size === 0) this.#caughtUp.resolve()
  }

  #adopt(topic: string): void {
    if (topic !== this.#options.topic) return
    const known = new Map(this.#cursors.map((cursor) => [cursor.partition, cursor]))
    const partitions = this.#options.topics.find(topic)?.partitions ?? []
    this.#cursors = partitions.map((partition) => known.get(partition) ?? fromBeginning(partition))
    this.#reader.read(this.#cursors)
  }
}

function fromBeginning(partition: Partition): Cursor {
  return { partition, position: partition.begin, paused: false }
}
