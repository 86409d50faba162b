import type { Broker, ConsumedRecord, Follower } from '../broker/broker.ts'
import type { Clock, Timers } from '../clock.ts'
import type { Logger } from '../observability/logger.ts'
import { retry } from '../retry.ts'
import { type Heartbeat, readHeartbeat } from './heartbeat.ts'

export interface LiveWorkersOptions {
  broker: Pick<Broker, 'follow'>
  topic: string
  clock: Clock & Timers
  logger: Logger
}

/** Intervals without a heartbeat after which a worker counts as gone. The clocks of an install may differ by less than that. */
const missedIntervals = 3
/** Milliseconds until a topic that cannot be followed is tried again: it may have to be made first. */
const retryInterval = 10_000

/** The workers that are alive, by what they say of themselves. */
export class LiveWorkers {
  readonly #options: LiveWorkersOptions
  readonly #beats = new Map<string, { heartbeat: Heartbeat; at: number }>()
  #follower: Follower | undefined
  readonly #closing = new AbortController()

  private constructor(options: LiveWorkersOptions) {
    this.#options = options
  }

  /** Begins to follow the topic, and goes on trying where that fails: who asks for workers must not depend on them. */
  static open(options: LiveWorkersOptions): LiveWorkers {
    const workers = new LiveWorkers(options)
    // It ends without a follower only when it is closed.
    workers.#follow().catch(() => {})
    return workers
  }

  /**
   * The workers of a channel that are alive, in order of their ids, or those of all channels. `undefined` while that is not known: a topic
   * that cannot be read does not mean that nobody works.
   */
  list(channel?: { namespace: string; name: string }): Heartbeat[] | undefined {
    if (this.#follower === undefined) return undefined
    this.#forgetStale()
    return [...this.#beats.values()]
      .map(({ heartbeat }) => heartbeat)
      .filter(
        (beat) =>
          channel === undefined || (beat.namespace === channel.namespace && beat.channel === channel.name),
      )
      .toSorted((left, right) => (left.worker < right.worker ? -1 : 1))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#follower?.close()
  }

  async #follow(): Promise<void> {
    const { broker, topic, clock, logger } = this.#options
    const { signal } = this.#closing
    const onFailure = (error: unknown) =>
      logger.warn({ err: error, topic }, 'Heartbeats of the workers cannot be read; trying again')
    const attempt = () => broker.follow(topic, (record) => this.#read(record))
    const follower = await retry(attempt, { clock, pauseAfter: () => retryInterval, onFailure }, signal)
    if (signal.aborted) await follower.close()
    else this.#follower = follower
  }

  #read(record: ConsumedRecord): void {
    const read = readHeartbeat(record)
    if (read.kind === 'alive')
      this.#beats.set(read.heartbeat.worker, { heartbeat: read.heartbeat, at: record.timestamp })
    else if (read.kind === 'stopped') this.#beats.delete(read.worker)
    else {
      const { topic, logger } = this.#options
      logger.debug({ topic, offset: record.offset, detail: read.detail }, 'Heartbeat passed over')
    }
  }

  #forgetStale(): void {
    const now = this.#options.clock.now()
    for (const [worker, { heartbeat, at }] of this.#beats) {
      if (now - at > heartbeat.interval * missedIntervals) this.#beats.delete(worker)
    }
  }
}
