import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDataError } from '../../store/store.ts'
import { BrokerError } from '../broker.ts'
import { pauseAfter, STORE_PATIENCE_MS, storeUnavailable } from './store-access.ts'

/** What is written together. The id stays the same when the batch is tried again. */
export interface Batch<Item> {
  readonly id: string
  readonly items: readonly Item[]
}

export interface WriteQueueOptions<Item, Result> {
  /** How many of the first items to write together, at least 1. */
  take(items: readonly Item[]): number
  /** Answers one result for each item; a `BrokerError` rejects that item alone. */
  write(batch: Batch<Item>): Promise<readonly (Result | BrokerError)[]>
}

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
  settled: boolean
}

/**
 * Writes what callers push, in order, one batch under way at a time: what arrives meanwhile forms the next. A batch is tried
 * again while the store is away and anybody still waits for it; each caller is told `unavailable` after 5 s.
 */
export class WriteQueue<Item, Result> {
  readonly #options: WriteQueueOptions<Item, Result>
  readonly #unsettled = new Set<Promise<unknown>>()
  #queue: Waiting<Item, Result>[] = []
  #running = false

  constructor(options: WriteQueueOptions<Item, Result>) {
    this.#options = options
  }

  push(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const waiting: Waiting<Item, Result> = { item, resolve, reject, settled: false }
    const timer = setTimeout(() => reject(storeUnavailable()), STORE_PATIENCE_MS)
    const settled = promise
      .catch(() => {})
      .then(() => {
        waiting.settled = true
        clearTimeout(timer)
        this.#unsettled.delete(settled)
      })
    this.#unsettled.add(settled)
    this.#queue.push(waiting)
    if (!this.#running) void this.#run()
    return promise
  }

  /** Resolves when nobody waits any more of those who wait now: at most 5 s. */
  async drained(): Promise<void> {
    await Promise.all(this.#unsettled)
  }

  async #run(): Promise<void> {
    this.#running = true
    // Let everything that is ready in this turn of the event loop join the first batch.
    await Promise.resolve()
    for (;;) {
      this.#queue = this.#queue.filter(({ settled }) => !settled)
      if (this.#queue.length === 0) break
      const taken = this.#options.take(this.#queue.map(({ item }) => item))
      await this.#write(this.#queue.splice(0, taken))
    }
    this.#running = false
  }

  async #write(callers: readonly Waiting<Item, Result>[]): Promise<void> {
    const batch = { id: randomUUID(), items: callers.map(({ item }) => item) }
    for (let failures = 1; callers.some(({ settled }) => !settled); failures++) {
      try {
        const results = await this.#options.write(batch)
        callers.forEach(({ resolve, reject }, index) => {
          const result = results[index] as Result | BrokerError
          if (result instanceof BrokerError) reject(result)
          else resolve(result)
        })
        return
      } catch (error) {
        if (isDataError(error)) return callers.forEach(({ reject }) => reject(error))
        await sleep(pauseAfter(failures))
      }
    }
  }
}
