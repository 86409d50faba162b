import {
  BrokerError,
  type Consumer,
  type ConsumerOptions,
  type TopicPartition,
  type TopicPartitionOffset,
  partitionName,
} from '../broker.ts'
import { type OwnedPartitions, requireOwned, setPaused } from '../owned-partitions.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import type { Fetcher } from './fetch.ts'
import type { Group, Member } from './group.ts'
import { type Cursor, Reader } from './reader.ts'
import { storeUnavailable } from './store-access.ts'
import type { Partition, Topics } from './topics.ts'

export interface EmbeddedConsumerOptions extends ConsumerOptions {
  onStopped: () => void
  log: { topics: Topics; fetcher: Fetcher; offsets: CommittedOffsets; group(name: string): Group }
}

/** A member of a group of the embedded broker. */
export class EmbeddedConsumer implements Consumer, Member {
  readonly topics: readonly string[]
  readonly #options: EmbeddedConsumerOptions
  readonly #group: Group
  readonly #joined = Promise.withResolvers<void>()
  #state: 'new' | 'started' | 'stopped' = 'new'
  #reader: Reader | undefined
  #owned: OwnedPartitions<Cursor> | undefined

  constructor(options: EmbeddedConsumerOptions) {
    this.#options = options
    this.topics = options.topics
    this.#group = options.log.group(options.group)
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new BrokerError('closed', 'a consumer starts once')
    const { topics, fetcher } = this.#options.log
    for (const topic of this.topics) topics.require(topic)
    this.#state = 'started'
    this.#reader = new Reader({
      topics,
      fetcher,
      onRead: ({ partition: { topic, partition } }, records) => {
        if (records.length === 0) return
        this.#handlers.onRecords({ topic, partition, epoch: this.#owned!.epoch, records })
      },
      onFailure: (error) => this.#handlers.onError(storeUnavailable(error), false),
    })
    this.#group.join(this)
    await this.#joined.promise
  }

  pause(partitions: readonly TopicPartition[]): void {
    setPaused(this.#owned, partitions, true)
  }

  resume(partitions: readonly TopicPartition[]): void {
    setPaused(this.#owned, partitions, false)
    this.#reader?.wake()
  }

  async commit(epoch: number, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const { cursors } = requireOwned(this.#owned, epoch, offsets)
    if (offsets.length === 0) return
    const positions = new Map(
      offsets.map((position) => [cursors.get(partitionName(position))!.partition, position.offset]),
    )
    await this.#options.log.offsets.commit({ group: this.#options.group, positions })
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#reader?.stop()
    this.revoke()
    this.#group.leave(this)
    this.#options.onStopped()
    this.#joined.promise.catch(() => {})
    this.#joined.reject(new BrokerError('closed', 'the consumer was stopped'))
  }

  revoke(): void {
    const owned = this.#owned
    if (!owned) return
    this.#owned = undefined
    this.#reader?.read([])
    this.#handlers.onRevoked(owned.epoch)
  }

  assign(epoch: number, partitions: readonly Partition[]): void {
    const { group, log } = this.#options
    const cursors = partitions.map((partition): Cursor => {
      const position = log.offsets.get(group, partition) ?? partition.begin
      return { partition, position, paused: false }
    })
    this.#owned = {
      epoch,
      cursors: new Map(cursors.map((cursor) => [partitionName(cursor.partition), cursor])),
    }
    this.#handlers.onAssigned({
      epoch,
      partitions: partitions.map(({ topic, partition }) => ({ topic, partition })),
    })
    // A handler may have stopped us.
    if (this.#owned) this.#reader?.read(cursors)
    this.#joined.resolve()
  }

  get #handlers() {
    return this.#options.handlers
  }
}
