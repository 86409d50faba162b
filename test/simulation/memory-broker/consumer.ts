import {
  BrokerError,
  type ConsumedRecord,
  type Consumer,
  type ConsumerOptions,
  type TopicPartition,
  type TopicPartitionOffset,
  partitionName,
} from '../../../core/broker/broker.ts'
import type { Link, MemoryCluster } from './cluster.ts'
import type { GroupMember, MemoryGroup } from './group.ts'
import type { MemoryPartition } from './log.ts'

interface Cursor {
  partition: MemoryPartition
  /** What is fetched next. */
  position: number
  paused: boolean
  /** A batch is on its way, or waits here for the end of a pause. */
  fetching: boolean
  kept: ConsumedRecord[] | undefined
}

interface Membership extends GroupMember {
  epoch: number | undefined
  cursors: Map<string, Cursor>
}

const maxBatch = 500
/** Milliseconds after which a member that was thrown out asks to be let in again. */
const rejoinMilliseconds = 100

/** A consumer of the cluster in memory. What it knows of the group is what has reached it over its link. */
export class MemoryConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #cluster: MemoryCluster
  readonly #link: Link
  readonly #group: MemoryGroup
  #membership: Membership | undefined
  #started: PromiseWithResolvers<void> | undefined
  #stopped = false

  constructor(cluster: MemoryCluster, link: Link, options: ConsumerOptions) {
    this.#cluster = cluster
    this.#link = link
    this.#options = options
    this.#group = cluster.group(options.group)
  }

  async start(): Promise<void> {
    if (this.#started !== undefined) throw new BrokerError('closed', 'a consumer starts once')
    this.#started = Promise.withResolvers()
    this.#started.promise.catch(() => {})
    await this.#join()
    await this.#started.promise
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const cursor of this.#cursorsOf(partitions)) cursor.paused = true
  }

  resume(partitions: readonly TopicPartition[]): void {
    const membership = this.#membership
    for (const cursor of this.#cursorsOf(partitions)) {
      cursor.paused = false
      const { kept } = cursor
      cursor.kept = undefined
      if (kept !== undefined)
        this.#link.push(() => this.#receive(membership!, membership!.epoch!, cursor, kept))
      else this.#fetch(membership!, cursor)
    }
  }

  async commit(epoch: number, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const membership = this.#membership
    if (membership?.epoch !== epoch) throw new BrokerError('stale_epoch', `epoch ${epoch} is over`)
    const name = `commit ${this.#options.group}`
    await this.#link.call(name, () => this.#group.commit(membership, epoch, offsets))
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const membership = this.#membership
    this.#membership = undefined
    this.#started?.reject(new BrokerError('closed', 'the consumer was stopped'))
    this.#end(membership)
    if (membership !== undefined)
      await this.#link.call(`leave ${this.#options.group}`, () => this.#group.leave(membership))
  }

  async #join(): Promise<void> {
    if (this.#stopped) return
    const membership: Membership = {
      topics: this.#options.topics,
      link: this.#link,
      epoch: undefined,
      cursors: new Map(),
      revoke: (acknowledge) =>
        this.#link.push(() => {
          this.#end(membership)
          acknowledge()
        }),
      fetch: () => {
        for (const cursor of membership.cursors.values()) this.#fetch(membership, cursor)
      },
      evicted: () => this.#link.push(() => this.#rejoin(membership)),
      assign: (epoch, partitions) =>
        this.#link.push(() => {
          if (this.#membership !== membership) return
          membership.epoch = epoch
          membership.cursors = new Map(
            partitions.map(({ partition, position }) => [
              partitionName(partition),
              { partition, position, paused: false, fetching: false, kept: undefined },
            ]),
          )
          this.#options.handlers.onAssigned({
            epoch,
            partitions: partitions.map(({ partition: { topic, partition } }) => ({ topic, partition })),
          })
          this.#started?.resolve()
          membership.fetch()
        }),
    }
    this.#membership = membership
    await this.#link.call(`join ${this.#options.group}`, () => this.#group.join(membership))
  }

  #rejoin(membership: Membership): void {
    if (this.#membership !== membership) return
    this.#membership = undefined
    this.#end(membership)
    this.#options.handlers.onError(new BrokerError('unavailable', 'thrown out of the group'), false)
    this.#joinLater()
  }

  /** Until the cluster can be reached. */
  #joinLater(): void {
    const join = () => this.#join().catch(() => this.#joinLater())
    this.#cluster.clock.after(rejoinMilliseconds, () => this.#link.push(() => void join()))
  }

  #end(membership: Membership | undefined): void {
    if (membership?.epoch === undefined) return
    const { epoch } = membership
    membership.epoch = undefined
    membership.cursors = new Map()
    this.#options.handlers.onRevoked(epoch)
  }

  #fetch(membership: Membership, cursor: Cursor): void {
    const { epoch } = membership
    if (epoch === undefined || cursor.paused || cursor.fetching || this.#cluster.away) return
    const { records } = cursor.partition
    const first = records.findIndex(({ offset }) => offset >= cursor.position)
    if (first < 0) return
    const batch = records.slice(first, first + maxBatch)
    cursor.position = batch.at(-1)!.offset + 1
    cursor.fetching = true
    this.#link.push(() => this.#receive(membership, epoch, cursor, batch))
  }

  #receive(membership: Membership, epoch: number, cursor: Cursor, batch: ConsumedRecord[]): void {
    if (this.#membership !== membership || membership.epoch !== epoch) return
    if (cursor.paused) {
      cursor.kept = batch
      return
    }
    cursor.fetching = false
    const { topic, partition } = cursor.partition
    this.#options.handlers.onRecords({ epoch, topic, partition, records: batch })
    this.#fetch(membership, cursor)
  }

  #cursorsOf(partitions: readonly TopicPartition[]): Cursor[] {
    return partitions.flatMap((partition) => this.#membership?.cursors.get(partitionName(partition)) ?? [])
  }
}
