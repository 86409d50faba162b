export interface BatcherOptions<Item, Result> {
  /** Answers one result per item, in order; a rejected one rejects its call alone. A rejection of the whole rejects every call of the batch. */
  flush: (items: Item[]) => Promise<(Result | Promise<Result>)[]>
  maxItems: number
  /** Waited for before each batch. Without it, the next begins as soon as the one before is over. */
  pace?: () => Promise<void>
}

/**
 * Coalesces concurrent calls into batches: while one batch is under way, what arrives forms the next. An idle
 * caller waits for nothing and a busy one shares a round trip with everybody else.
 */
export function createBatcher<Item, Result>({ flush, maxItems, pace }: BatcherOptions<Item, Result>) {
  interface Waiting {
    item: Item
    resolve: (result: Result | Promise<Result>) => void
    reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    // Let everything that is ready in this turn of the event loop join the first batch.
    await Promise.resolve()
    while (waiting.length > 0) {
      await pace?.()
      const batch = waiting.slice(0, maxItems)
      waiting = waiting.slice(maxItems)
      try {
        const results = await flush(batch.map(({ item }) => item))
        batch.forEach(({ resolve }, index) => resolve(results[index]!))
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    running = false
  }

  return (item: Item): Promise<Result> =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!running) void run()
    })
}
