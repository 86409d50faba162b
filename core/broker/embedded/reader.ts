import type { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConsumedRecord } from '../broker.ts'
import type { Fetcher } from './fetch.ts'
import { pauseAfter } from './store-access.ts'
import type { Partition, TopicEvents } from './topics.ts'

/** Where a reader stands in a partition. */
export interface Cursor {
  readonly partition: Partition
  /** The offset to read next. */
  position: number
  paused: boolean
}

export interface ReaderOptions {
  topics: EventEmitter<TopicEvents>
  fetcher: Pick<Fetcher, 'fetch'>
  /**
   * Takes records over; none when the rest of the partition was found deleted. The cursor's position is behind them already.
   * Must not throw: that would end the process, because going on would lose records.
   */
  onRead: (cursor: Cursor, records: ConsumedRecord[]) => void
  /** A read failed for the first time in a row. The reader goes on trying. */
  onFailure: (error: unknown) => void
}

/** Reads partitions in turn, so that a long one does not starve the others, and sleeps when it has read everything. */
export class Reader {
  readonly #options: ReaderOptions
  readonly #stopped = new AbortController()
  readonly #wake = (): void => this.#awake?.()
  #cursors: readonly Cursor[] = []
  #turn = 0
  /** Failed fetches in a row. */
  #failures = 0
  #awake: (() => void) | undefined

  constructor(options: ReaderOptions) {
    this.#options = options
    options.topics.on('appended', this.#wake)
    void this.#run()
  }

  /** Reads these from now on, and nothing else: a read under way for another cursor is dropped. */
  read(cursors: readonly Cursor[]): void {
    this.#cursors = cursors
    this.wake()
  }

  /** Looks again whether there is something to read: after a cursor was changed. */
  wake(): void {
    this.#wake()
  }

  /** Nothing is handed over any more once this returns. */
  stop(): void {
    this.#cursors = []
    this.#options.topics.off('appended', this.#wake)
    this.#stopped.abort()
    this.wake()
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const cursor = this.#next()
      if (!cursor) {
        await new Promise<void>((resolve) => (this.#awake = resolve))
        continue
      }
      const { end } = cursor.partition
      const records = await this.#fetch(cursor)
      // Dropped while it was read, or paused.
      if (!records || cursor.paused || !this.#cursors.includes(cursor)) continue
      // Nothing there although the end is further on: the last records were deleted.
      const last = records.at(-1)
      cursor.position = last ? last.offset + 1 : end
      this.#options.onRead(cursor, records)
    }
  }

  /** Undefined when it failed; then some time has passed. */
  async #fetch({ partition, position }: Cursor): Promise<ConsumedRecord[] | undefined> {
    const { signal } = this.#stopped
    try {
      const records = await this.#options.fetcher.fetch(partition, position)
      this.#failures = 0
      return records
    } catch (error) {
      if (signal.aborted) return undefined
      this.#failures++
      if (this.#failures === 1) this.#options.onFailure(error)
      await sleep(pauseAfter(this.#failures), undefined, { signal }).catch(() => {})
      return undefined
    }
  }

  #next(): Cursor | undefined {
    const { length } = this.#cursors
    for (let step = 1; step <= length; step++) {
      const index = (this.#turn + step) % length
      const cursor = this.#cursors[index]!
      if (cursor.paused || cursor.position >= cursor.partition.end) continue
      this.#turn = index
      return cursor
    }
    return undefined
  }
}
