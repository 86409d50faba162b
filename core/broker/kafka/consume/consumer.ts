import { sleep, systemClock as clock } from '../../../clock.ts'
import {
  BrokerError,
  type Consumer,
  type ConsumerOptions,
  type TopicPartition,
  type TopicPartitionOffset,
  partitionName,
} from '../../broker.ts'
import { type OwnedPartitions, requireOwned, setPaused } from '../../owned-partitions.ts'
import { beginnings } from '../offsets.ts'
import { pauseAfter, withPatience } from '../patience.ts'
import { TopicMap } from '../topic-map.ts'
import {
  isRebalance,
  isTransient,
  KafkaError,
  toBrokerError,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'
import type { Cursor } from './cursor.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember, type Share } from './group-member.ts'
import { keepShare } from './keep-share.ts'

/** Milliseconds for which trouble that passes by itself is not worth a word: a coordinator that moves, or is loading. */
const QUIET_MS = 1_000

export interface KafkaConsumerOptions extends ConsumerOptions {
  /** Connections of this consumer's own: its fetches hold up nobody else. It closes them. */
  wire: Wire
  onStopped: () => void
}

interface Owned extends OwnedPartitions<Cursor> {
  readonly share: Share
  readonly fetcher: Fetcher
}

/**
 * A member of a Kafka group. Whatever goes wrong, it joins again until it is stopped: a consumer that died and left a healthy process
 * behind would only be seen by its lag.
 */
export class KafkaConsumer implements Consumer {
  readonly #options: KafkaConsumerOptions
  readonly #member: GroupMember
  readonly #topics: TopicMap
  readonly #stopping = new AbortController()
  readonly #joined = Promise.withResolvers<void>()
  #state: 'new' | 'started' | 'stopped' = 'new'
  #running: Promise<void> | undefined
  #owned: Owned | undefined
  #epoch = 0
  #troubleSince = 0
  #committing: Promise<unknown> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(options: KafkaConsumerOptions) {
    this.#options = options
    this.#member = new GroupMember(options)
    this.#topics = new TopicMap(options.wire)
    for (const topic of options.topics) this.#topics.add(topic)
    this.#joined.promise.catch(() => {})
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new BrokerError('closed', 'a consumer starts once')
    this.#state = 'started'
    await withPatience(() => this.#requireTopics())
    if (this.#stopping.signal.aborted) throw new BrokerError('closed', 'the consumer was stopped')
    this.#running = this.#run()
    await this.#joined.promise
  }

  pause(partitions: readonly TopicPartition[]): void {
    setPaused(this.#owned, partitions, true)
  }

  resume(partitions: readonly TopicPartition[]): void {
    setPaused(this.#owned, partitions, false)
    this.#owned?.fetcher.wake()
  }

  async commit(epoch: number, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const owned = () => requireOwned(this.#owned, epoch, offsets)
    owned()
    if (offsets.length === 0) return
    // In turn, so that the last of two commits is the one that stays.
    const committed = this.#committing.then(() =>
      withPatience(async () => await this.#member.commit(owned().share, offsets)),
    )
    this.#committing = committed.catch(() => {})
    await committed
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped'
    this.#stopping.abort()
    const fetching = this.#revoke()
    await this.#committing
    this.#joined.reject(new BrokerError('closed', 'the consumer was stopped'))
    // A coordinator that cannot be told finds out by itself.
    await this.#member.leave().catch(() => {})
    await fetching
    await this.#options.wire.close()
    await this.#running
    this.#options.onStopped()
  }

  async #requireTopics(): Promise<void> {
    await this.#topics.refresh()
    for (const topic of this.#options.topics) {
      const code = this.#topics.get(topic)?.error ?? UNKNOWN_TOPIC_OR_PARTITION
      if (code !== 0) throw new KafkaError(code, `topic ${topic}`)
    }
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#takeShare()
        failures = 0
        const { wire } = this.#options
        if (this.#owned) await keepShare(this.#member, this.#owned.share, wire, this.#stopping.signal)
      } catch (error) {
        void this.#revoke()
        if (this.#stopping.signal.aborted) return
        if (isRebalance(error)) continue
        failures += 1
        if (failures === 1) this.#troubleSince = performance.now()
        this.#fail(error)
        await sleep(clock, pauseAfter(failures), this.#stopping.signal)
      }
    }
  }

  #fail(error: unknown): void {
    const failure = toBrokerError(error)
    // Whoever starts it hears of what waiting cannot mend; a consumer that once ran goes on trying.
    if (this.#epoch === 0 && !isTransient(error)) {
      this.#joined.reject(failure)
      this.#stopping.abort()
    } else if (performance.now() - this.#troubleSince >= QUIET_MS || !isTransient(error)) {
      this.#options.handlers.onError(failure, false)
    }
  }

  async #takeShare(): Promise<void> {
    const share = await this.#member.join()
    await this.#topics.refresh()
    const committed = await this.#member.committed(share)
    const fresh = share.partitions.filter((partition) => !committed.has(partitionName(partition)))
    const begun = await beginnings(this.#options.wire, this.#topics, fresh)
    const cursors = share.partitions.map(({ topic, partition }): Cursor => {
      const name = partitionName({ topic, partition })
      return { topic, partition, position: committed.get(name) ?? begun.get(name)!, paused: false }
    })
    if (this.#stopping.signal.aborted) return
    this.#assign(share, cursors)
  }

  #assign(share: Share, cursors: readonly Cursor[]): void {
    const { wire, handlers } = this.#options
    const epoch = ++this.#epoch
    const fetcher = new Fetcher({
      wire,
      topics: this.#topics,
      onRead: ({ topic, partition }, records) => {
        if (records.length > 0 && this.#owned?.epoch === epoch) {
          handlers.onRecords({ topic, partition, epoch, records })
        }
      },
      onFailure: (error) => handlers.onError(toBrokerError(error), false),
      onRecovered: () => handlers.onRecovered?.(),
    })
    this.#owned = {
      epoch,
      share,
      fetcher,
      cursors: new Map(cursors.map((cursor) => [partitionName(cursor), cursor])),
    }
    handlers.onAssigned({ epoch, partitions: share.partitions })
    // A handler may have stopped us.
    if (this.#owned) fetcher.read(cursors)
    this.#joined.resolve()
  }

  /** Ends the epoch, at once; resolves when nothing of it is under way. */
  async #revoke(): Promise<void> {
    const owned = this.#owned
    if (!owned) return
    this.#owned = undefined
    const stopped = owned.fetcher.stop()
    this.#options.handlers.onRevoked(owned.epoch)
    await stopped
  }
}
