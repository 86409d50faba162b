import { sleep, systemClock as clock } from '../../../clock.ts'
import { BrokerError, type ConsumedRecord, type Follower, partitionName } from '../../broker.ts'
import { beginnings, ends } from '../offsets.ts'
import { PATIENCE_MS, withPatience } from '../patience.ts'
import { TopicMap } from '../topic-map.ts'
import { KafkaError, toBrokerError, UNKNOWN_TOPIC_OR_PARTITION } from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'
import type { Cursor } from './cursor.ts'
import { Fetcher } from './fetcher.ts'

/** Milliseconds between looks for partitions by which the topic grew. */
const GROWTH_INTERVAL_MS = 5_000

export interface KafkaFollowerOptions {
  /** Connections of this follower's own. It closes them. */
  wire: Wire
  topic: string
  onRecord: (record: ConsumedRecord) => void
  /** It cannot read on, and tries again. */
  onFailure: (error: BrokerError) => void
  onClosed: () => void
}

/** Reads one topic without a group, and its partitions that are added later. As `Broker.follow`. */
export class KafkaFollower implements Follower {
  readonly #options: KafkaFollowerOptions
  readonly #topics: TopicMap
  readonly #fetcher: Fetcher
  readonly #caughtUp = Promise.withResolvers<void>()
  readonly #closing = new AbortController()
  #cursors: Cursor[] = []
  #behind = new Map<Cursor, number>()
  #impatient: NodeJS.Timeout | undefined
  #watching: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(options: KafkaFollowerOptions) {
    this.#options = options
    this.#topics = new TopicMap(options.wire)
    this.#topics.add(options.topic)
    this.#caughtUp.promise.catch(() => {})
    this.#fetcher = new Fetcher({
      wire: options.wire,
      topics: this.#topics,
      onRead: (cursor, records) => this.#take(cursor, records),
      onFailure: (error) => {
        const failure = toBrokerError(error)
        options.onFailure(failure)
        if (this.#behind.size > 0)
          this.#impatient ??= setTimeout(() => this.#caughtUp.reject(failure), PATIENCE_MS)
      },
    })
  }

  /** Resolves when everything that is in the topic now was handed over; closes and rejects when that cannot be. */
  async start(): Promise<void> {
    try {
      await withPatience(() => this.#begin())
      this.#fetcher.read(this.#cursors)
      if (this.#behind.size === 0) this.#caughtUp.resolve()
      this.#watching = this.#watchGrowth()
      await this.#caughtUp.promise
    } catch (error) {
      await this.close()
      throw error
    } finally {
      clearTimeout(this.#impatient)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#caughtUp.reject(new BrokerError('closed', 'the follower was closed'))
    await this.#fetcher.stop()
    await this.#watching
    await this.#options.wire.close()
    this.#options.onClosed()
  }

  async #begin(): Promise<void> {
    const { wire, topic } = this.#options
    await this.#topics.refresh()
    const place = this.#topics.get(topic)
    if (!place || place.error !== 0)
      throw new KafkaError(place?.error ?? UNKNOWN_TOPIC_OR_PARTITION, `topic ${topic}`)
    const partitions = place.partitions.map(({ partition }) => ({ topic, partition }))
    const [first, end] = await Promise.all([
      beginnings(wire, this.#topics, partitions),
      ends(wire, this.#topics, partitions),
    ])
    this.#cursors = partitions.map((partition) => ({
      ...partition,
      position: first.get(partitionName(partition))!,
      paused: false,
    }))
    const goals = this.#cursors.map((cursor) => [cursor, end.get(partitionName(cursor))!] as const)
    this.#behind = new Map(goals.filter(([{ position }, goal]) => position < goal))
  }

  #take(cursor: Cursor, records: readonly ConsumedRecord[]): void {
    clearTimeout(this.#impatient)
    this.#impatient = undefined
    for (const record of records) {
      if (this.#closing.signal.aborted) return
      this.#options.onRecord(record)
    }
    if (cursor.position < (this.#behind.get(cursor) ?? Number.POSITIVE_INFINITY)) return
    this.#behind.delete(cursor)
    if (this.#behind.size === 0) this.#caughtUp.resolve()
  }

  async #watchGrowth(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      await sleep(clock, GROWTH_INTERVAL_MS, signal)
      if (signal.aborted) return
      try {
        await this.#adoptNew()
      } catch (error) {
        this.#options.onFailure(toBrokerError(error))
      }
    }
  }

  async #adoptNew(): Promise<void> {
    const { wire, topic } = this.#options
    await this.#topics.refresh()
    const known = new Set(this.#cursors.map(partitionName))
    const added = (this.#topics.get(topic)?.partitions ?? [])
      .map(({ partition }) => ({ topic, partition }))
      .filter((partition) => !known.has(partitionName(partition)))
    if (added.length === 0) return
    const first = await beginnings(wire, this.#topics, added)
    const cursors = added.map((partition) => ({
      ...partition,
      position: first.get(partitionName(partition))!,
      paused: false,
    }))
    this.#cursors = [...this.#cursors, ...cursors]
    this.#fetcher.read(this.#cursors)
  }
}
