import {
  type Broker,
  BrokerError,
  type ConsumedRecord,
  type Consumer,
  type TopicPartition,
  partitionName,
} from '../core/broker/broker.ts'
import type { Clock, Timers } from '../core/clock.ts'
import type { Logger } from '../core/observability/logger.ts'
import {
  beginAgain,
  type Bounds,
  newPartition,
  observePartitions,
  type Partition,
  pauseOrResume,
} from './partition.ts'
import type { SourceMetrics } from './source-metrics.ts'

/** The handle of one record: whoever takes the record calls `done` once nothing more is owed for it. */
export interface Work {
  /** The assignment under which it came is over: it will be read again, by us or by another member. */
  abandoned: () => boolean
  done: () => void
}

export interface SourceOptions {
  broker: Broker
  group: string
  topics: readonly string[]
  clock: Clock & Timers
  logger: Logger
  metrics: SourceMetrics
  bounds: Bounds
  /** Takes a record over. Must not throw or block. */
  onRecord: (record: ConsumedRecord, work: Work) => void
  /** An assignment is over: what was taken under it is abandoned. */
  onRevoked?: () => void
}

/** Milliseconds between commits. A commit only saves reading again: the ledger, not the offset, prevents a second send. */
const commitInterval = 500

/**
 * A consumer that commits what is finished: a tracker per partition and assignment, the low watermark committed every half
 * second and at stop, and a partition paused while too much of it is unfinished.
 */
export class Source {
  readonly #options: SourceOptions
  readonly #consumer: Consumer
  #partitions = new Map<string, Partition>()
  #epoch = -1
  readonly #failed = Promise.withResolvers<Error>()
  #healthy = false
  #revokedAt: number | undefined
  #callOffCommit = () => {}
  #committing: Promise<void> = Promise.resolve()

  constructor(options: SourceOptions) {
    this.#options = options
    this.#consumer = options.broker.consumer({
      group: options.group,
      topics: options.topics,
      handlers: {
        onAssigned: ({ epoch, partitions }) => {
          this.#epoch = epoch
          this.#healthy = true
          options.metrics.rebalances.inc({ group: options.group })
          if (this.#revokedAt !== undefined) {
            const seconds = (options.clock.monotonic() - this.#revokedAt) / 1000
            options.metrics.rebalanceSeconds.observe({ group: options.group }, seconds)
          }
          options.metrics.assigned.inc({ group: options.group }, partitions.length)
          this.#partitions = new Map(
            partitions.map((partition) => [partitionName(partition), newPartition(partition)]),
          )
        },
        onRevoked: (epoch) => {
          if (epoch !== this.#epoch) return
          this.#epoch = -1
          this.#revokedAt = options.clock.monotonic()
          this.#releaseHeld()
          options.metrics.assigned.dec({ group: options.group }, this.#partitions.size)
          this.#partitions = new Map()
          observePartitions(this.#partitions.values(), this.#options)
          options.onRevoked?.()
        },
        onRecords: ({ epoch, topic, partition, records }) => {
          if (epoch !== this.#epoch) return
          // A consumer that was down and came back by itself shows it by what it brings.
          this.#healthy = true
          const owned = this.#partitions.get(partitionName({ topic, partition }))
          if (owned) for (const record of records) this.#take(owned, record)
        },
        onError: (error, fatal) => {
          this.#healthy = false
          options.logger.error({ err: error, group: options.group, fatal }, 'Consumer failed')
          if (fatal) this.#failed.resolve(error)
        },
        onRecovered: () => {
          this.#healthy = true
        },
      },
    })
  }

  /** Whether the consumer is in its group. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Partitions that it has at present. */
  get partitions(): number {
    return this.#partitions.size
  }

  /** Resolves when the consumer is down and will not come back. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  /**
   * Resolves when it is in its group, which may take for ever.
   * @param signal calls that off
   */
  async start(signal?: AbortSignal): Promise<void> {
    const callOff = () => void this.#consumer.stop()
    signal?.addEventListener('abort', callOff)
    try {
      await this.#consumer.start()
    } catch (error) {
      // Who starts again makes a new consumer; this one must not go on trying beside it.
      await this.#consumer.stop()
      throw error
    } finally {
      signal?.removeEventListener('abort', callOff)
    }
    this.#commitRegularly()
  }

  /**
   * Stops the partition for good, because its next record cannot be judged by this version. Nothing of it is lost: whoever can read
   * the record goes on from there.
   */
  hold({ topic, partition }: TopicPartition): void {
    const owned = this.#partitions.get(partitionName({ topic, partition }))
    if (owned) owned.held = true
    this.#options.metrics.held.set({ group: this.#options.group, topic, partition }, 1)
    this.#consumer.pause([{ topic, partition }])
  }

  /** Commits what is finished and leaves the group. Drain whatever took the records first. */
  async stop(): Promise<void> {
    this.#callOffCommit()
    await this.#commit()
    this.#healthy = false
    await this.#consumer.stop()
  }

  /** Whoever gets the partitions next judges for itself. */
  #releaseHeld(): void {
    const { group, metrics } = this.#options
    for (const { topic, partition, held } of this.#partitions.values()) {
      if (held) metrics.held.remove({ group, topic, partition })
    }
  }

  #take(owned: Partition, record: ConsumedRecord): void {
    if (owned.held) return
    const epoch = this.#epoch
    const { newest } = owned.tracker
    if (newest !== undefined && record.offset <= newest) {
      const { topic, partition, offset } = record
      this.#options.logger.warn({ topic, partition, offset, newest }, 'The log of a partition begins again')
      beginAgain(owned)
    }
    const { tracker } = owned
    tracker.add(record.offset, record.value?.length ?? 0)
    pauseOrResume(owned, this.#options.bounds, this.#consumer)
    this.#options.onRecord(record, {
      abandoned: () => this.#epoch !== epoch,
      done: () => {
        if (this.#epoch !== epoch) return
        tracker.done(record.offset)
        pauseOrResume(owned, this.#options.bounds, this.#consumer)
      },
    })
  }

  #commitRegularly(): void {
    this.#callOffCommit = this.#options.clock.after(commitInterval, () => {
      void this.#commit()
      observePartitions(this.#partitions.values(), this.#options)
      this.#commitRegularly()
    })
  }

  #commit(): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitNow())
    return this.#committing
  }

  async #commitNow(): Promise<void> {
    const epoch = this.#epoch
    const moved = [...this.#partitions.values()].filter(
      ({ tracker, committed }) => tracker.watermark !== undefined && tracker.watermark !== committed,
    )
    if (moved.length === 0) return
    const offsets = moved.map(({ topic, partition, tracker }) => ({
      topic,
      partition,
      offset: tracker.watermark!,
    }))
    const { metrics, group } = this.#options
    const end = metrics.commitSeconds.startTimer({ group })
    try {
      await this.#consumer.commit(epoch, offsets)
      end()
      moved.forEach((owned, index) => (owned.committed = offsets[index]!.offset))
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'stale_epoch') return
      metrics.commitFailures.inc({ group })
      this.#options.logger.warn(
        { err: error, group: this.#options.group },
        'Commit failed; it is tried again',
      )
    }
  }
}
