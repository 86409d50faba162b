import type { Admin } from '../../../core/broker/broker.ts'
import { sleep, type Timers } from '../../../core/clock.ts'
import { type ChannelTopics, retryTopicPrefix } from '../../../core/notification/topics.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import { durationPattern } from '../../../core/resources/duration.ts'
import { retry } from '../../../core/retry.ts'
import type { RetrySource } from './retry-source.ts'

export interface FormerTiersOptions {
  admin: Pick<Admin, 'listTopics' | 'lag'>
  /** Those of the channel as it is now. */
  topics: ChannelTopics
  /** A consumer of these topics, not yet started. */
  open: (topics: readonly string[]) => RetrySource
  clock: Timers
  logger: Logger
}

/**
 * Milliseconds between looks whether the topics are empty. Workers that still have the spec from before write to them until they have
 * drained, which takes far less: the first look comes after them.
 */
const interval = 10 * 60_000

/**
 * Empties the retry topics of tiers that the channel no longer has. The cluster is asked for them once, at the start: a tier that is
 * taken out later comes with a new spec, and so with a new worker. What goes wrong here stops nothing else and is tried again.
 */
export class FormerTiers {
  readonly #options: FormerTiersOptions
  readonly #stopping = new AbortController()
  #source: RetrySource | undefined
  #working: Promise<void> = Promise.resolve()

  constructor(options: FormerTiersOptions) {
    this.#options = options
  }

  start(): void {
    this.#working = this.#emptyAll()
  }

  /** As of {@link RetrySource}. */
  forget(): void {
    this.#source?.forget()
  }

  /** Commits what is finished and leaves the group. Drain whatever took the records first. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#working
  }

  async #emptyAll(): Promise<void> {
    const { topics, clock, logger } = this.#options
    const { signal } = this.#stopping
    const work = async () => {
      const former = await this.#find()
      if (former.length > 0 && !signal.aborted) await this.#empty(former)
    }
    const onFailure = (error: unknown) => {
      if (signal.aborted) return
      logger.warn(
        { err: error, group: topics.retryGroup },
        'Retry topics of removed tiers cannot be emptied now',
      )
    }
    // It ends with work left over only when it is stopped.
    await retry(work, { clock, pauseAfter: () => interval, onFailure }, signal).catch(() => {})
  }

  async #find(): Promise<string[]> {
    const { admin, topics } = this.#options
    const prefix = retryTopicPrefix(topics.main)
    const current = new Set(topics.retries.map(({ topic }) => topic))
    const found = await admin.listTopics(prefix)
    return found.filter((name) => !current.has(name) && durationPattern.test(name.slice(prefix.length)))
  }

  /** Resolves when nothing is left to do in the topics, or at the stop. */
  async #empty(former: readonly string[]): Promise<void> {
    const { admin, topics, open, clock, logger } = this.#options
    const { signal } = this.#stopping
    const source = open(former)
    this.#source = source
    try {
      await source.start(signal)
      logger.info({ topics: former }, 'Retry topics of removed tiers are being emptied')
      const failure = source.failed.then((error) => Promise.reject(error))
      for (;;) {
        await Promise.race([sleep(clock, interval, signal), failure])
        if (signal.aborted) return
        const lags = await admin.lag([{ group: topics.retryGroup, topics: former }])
        if (lags.every(({ lag }) => lag === 0)) break
      }
      logger.info({ topics: former }, 'Retry topics of removed tiers are empty')
    } finally {
      source.forget()
      this.#source = undefined
      await source.stop()
    }
  }
}
