import type { Logger } from '../observability/logger.ts'

/** What was started, to be stopped in the opposite order. */
export class Started {
  readonly #logger: Logger
  readonly #parts: { name: string; stop: () => Promise<unknown> }[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(name: string, stop: () => Promise<unknown>): void {
    this.#parts.push({ name, stop })
  }

  /** Stops everything. A part that fails to stop is logged, and keeps none of the others running. */
  async stop(): Promise<void> {
    for (const { name, stop } of this.#parts.splice(0).toReversed()) {
      this.#logger.info(`Stopping: ${name}`)
      try {
        await stop()
      } catch (error) {
        this.#logger.error({ err: error }, `Cannot stop: ${name}`)
      }
    }
  }
}
