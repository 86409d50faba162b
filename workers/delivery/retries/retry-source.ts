import type { ConsumedRecord, TopicPartition } from '../../../core/broker/broker.ts'
import type { Clock, Timers } from '../../../core/clock.ts'
import { header, numberHeader } from '../../../core/notification/envelope.ts'
import { Source, type SourceOptions, type Work } from '../../source.ts'
import { DueQueue } from './due-queue.ts'

export interface RetrySourceOptions extends Omit<SourceOptions, 'onRecord' | 'onRevoked'> {
  clock: Clock & Timers
  /** Takes a record over when it is due. Must not throw or block. */
  onDue: (record: ConsumedRecord, work: Work) => void
  /** An assignment is over: what was taken under it is abandoned, and what was not yet due is forgotten. */
  onRevoked: () => void
}

/** A consumer of retry topics that holds each record until it is due. */
export class RetrySource {
  readonly #options: RetrySourceOptions
  readonly #source: Source
  readonly #waiting = new Map<string, DueQueue>()

  constructor(options: RetrySourceOptions) {
    this.#options = options
    this.#source = new Source({
      ...options,
      onRevoked: () => {
        this.forget()
        options.onRevoked()
      },
      onRecord: (record, work) => this.#wait(record, work),
    })
  }

  get healthy(): boolean {
    return this.#source.healthy
  }

  /** As of {@link Source}. */
  get failed(): Promise<Error> {
    return this.#source.failed
  }

  /** As of {@link Source}. */
  start(signal: AbortSignal): Promise<void> {
    return this.#source.start(signal)
  }

  /** As of {@link Source}. */
  hold(partition: TopicPartition): void {
    this.#source.hold(partition)
  }

  /** Lets go of what is not yet due: it was never finished, so it is read again. */
  forget(): void {
    for (const queue of this.#waiting.values()) queue.close()
    this.#waiting.clear()
  }

  stop(): Promise<void> {
    return this.#source.stop()
  }

  #wait(record: ConsumedRecord, work: Work): void {
    const { clock, onDue } = this.#options
    const partition = `${record.topic}/${record.partition}`
    const queue = this.#waiting.get(partition) ?? new DueQueue(clock)
    this.#waiting.set(partition, queue)
    queue.add(numberHeader(record.headers, header.due, 0) ?? 0, () => {
      if (!work.abandoned()) onDue(record, work)
    })
  }
}
