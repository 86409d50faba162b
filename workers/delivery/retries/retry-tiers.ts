import type { Timers } from '../../../core/clock.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import { retry } from '../../../core/retry.ts'
import { refusalOf } from '../../produce-each.ts'
import type { RetrySource } from './retry-source.ts'

export interface RetryTiersOptions {
  /** The retry topics of the channel. */
  topics: readonly string[]
  /** A consumer of these topics, not yet started. */
  open: (topics: readonly string[]) => RetrySource
  clock: Timers
  logger: Logger
}

/** Milliseconds between looks for a topic that is missing. */
const interval = 10_000

/**
 * Consumes the retry topics of a channel, with one consumer. Where one of them is missing at the start, or not ours to read, that one is waited for, and
 * neither first attempts nor the other tiers are: each topic then has a consumer of its own.
 */
export class RetryTiers {
  readonly #options: RetryTiersOptions
  readonly #sources: RetrySource[] = []
  readonly #failed = Promise.withResolvers<Error>()
  readonly #stopping = new AbortController()
  #waiting: Promise<unknown>[] = []

  constructor(options: RetryTiersOptions) {
    this.#options = options
  }

  /** Whether every consumer that has started is in its group. */
  get healthy(): boolean {
    return this.#sources.every(({ healthy }) => healthy)
  }

  /** As of {@link RetrySource}. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  async start(): Promise<void> {
    const { topics, logger } = this.#options
    if (topics.length === 0) return
    try {
      await this.#open(topics)
    } catch (error) {
      if (refusalOf(error) !== 'no_topic') throw error
      logger.error({ err: error }, 'A retry topic cannot be read: what is on it waits until it can')
      this.#waiting = topics.map((topic) => this.#openOnceThere(topic))
    }
  }

  /** As of {@link RetrySource}. */
  forget(): void {
    for (const source of this.#sources) source.forget()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#waiting)
    await Promise.all(this.#sources.map((source) => source.stop()))
  }

  async #open(topics: readonly string[]): Promise<void> {
    const source = this.#options.open(topics)
    await source.start(this.#stopping.signal)
    this.#sources.push(source)
    void source.failed.then(this.#failed.resolve)
  }

  #openOnceThere(topic: string): Promise<void> {
    const { clock } = this.#options
    const attempt = () => this.#open([topic])
    // It ends without a consumer only when it is stopped.
    return retry(
      attempt,
      { clock, pauseAfter: () => interval, onFailure: () => {} },
      this.#stopping.signal,
    ).catch(() => {})
  }
}
