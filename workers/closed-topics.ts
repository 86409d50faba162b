import type { BrokerError } from '../core/broker/broker.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/observability/logger.ts'
import type { Postponed } from './produce-each.ts'

export interface ClosedTopicsOptions {
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

/**
 * Milliseconds for which a topic that refused is not asked again. A broker takes about a second to say no, and one without a leader
 * costs all the patience of the producer, 5 s; whoever writes waits for that.
 */
const closedFor = { no_topic: 10_000, away: 30_000 }

/** The topics that lately took nothing. */
export class ClosedTopics {
  readonly #options: ClosedTopicsOptions
  readonly #until = new Map<string, number>()

  constructor(options: ClosedTopicsOptions) {
    this.#options = options
  }

  has(topic: string): boolean {
    return (this.#until.get(topic) ?? -Infinity) > this.#options.clock.monotonic()
  }

  /** Says it in the log once while the topic stays closed. */
  add(topic: string, refusal: Postponed<unknown>['refusal'], error: BrokerError): void {
    const { clock, logger } = this.#options
    if (!this.has(topic))
      logger.error({ err: error, topic }, 'A topic takes no records: they wait in the store until it does')
    this.#until.set(topic, clock.monotonic() + closedFor[refusal])
  }
}
