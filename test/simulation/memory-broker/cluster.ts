import {
  type Admin,
  type Broker,
  BrokerError,
  type ConsumedRecord,
  type PartitionLag,
  type RecordToProduce,
  type TopicPartitionOffset,
} from '../../../core/broker/broker.ts'
import type { Clock, Timers } from '../../../core/clock.ts'
import { MemoryConsumer } from './consumer.ts'
import { MemoryGroup } from './group.ts'
import { MemoryLog, type MemoryPartition } from './log.ts'

/** How one client and the cluster reach each other: what takes time, and what a crash cuts. */
export interface Link {
  /** A request of the client and its answer. */
  call<T>(name: string, effect: () => T): Promise<T>
  /** A message of the cluster. In order. */
  push(handle: () => void): void
}

export interface MemoryClusterOptions {
  clock: Clock & Timers
  /** Whether offsets have gaps. */
  gaps: boolean
  /** Is shown every committed position before it is written. */
  onCommit?: (group: string, partition: MemoryPartition, offset: number) => void
}

/** A Kafka cluster in memory behind the Broker port. It passes the conformance suite of the real one. */
export class MemoryCluster {
  readonly clock: Clock & Timers
  readonly log: MemoryLog
  /** Nobody reaches it: records stand still. */
  away = false
  readonly #onCommit: NonNullable<MemoryClusterOptions['onCommit']>
  readonly #groups = new Map<string, MemoryGroup>()
  readonly #followers = new Set<() => void>()

  constructor({ clock, gaps, onCommit = () => {} }: MemoryClusterOptions) {
    this.clock = clock
    this.log = new MemoryLog(gaps)
    this.#onCommit = onCommit
  }

  group(name: string): MemoryGroup {
    const group =
      this.#groups.get(name) ??
      new MemoryGroup(this.log, (partition, offset) => this.#onCommit(name, partition, offset))
    this.#groups.set(name, group)
    return group
  }

  open(link: Link): Broker {
    let closed = false
    const ensureOpen = () => {
      if (closed) throw new BrokerError('closed', 'this client of the broker was closed')
    }
    const unfinished = new Set<Promise<unknown>>()
    const closers = new Set<() => Promise<void>>()
    const produce = async (records: readonly RecordToProduce[]): Promise<TopicPartitionOffset[]> => {
      ensureOpen()
      const topics = [...new Set(records.map(({ topic }) => topic))].join(' ')
      const appended = link.call(`produce ${topics}`, () => this.append(records))
      unfinished.add(appended)
      try {
        return await appended
      } finally {
        unfinished.delete(appended)
      }
    }
    return {
      producer: { produce },
      admin: createAdmin(this, ensureOpen),
      consumer: (options) => {
        ensureOpen()
        const consumer = new MemoryConsumer(this, link, options)
        closers.add(() => consumer.stop())
        return consumer
      },
      follow: async (topic, onRecord) => {
        ensureOpen()
        const close = this.#follow(topic, link, onRecord)
        closers.add(close)
        return { close }
      },
      async close() {
        closed = true
        await Promise.allSettled(unfinished)
        await Promise.all([...closers].map((close) => close()))
      },
    }
  }

  append(records: readonly RecordToProduce[]): TopicPartitionOffset[] {
    const positions = this.log.append(records, this.clock.now())
    this.wake()
    return positions
  }

  /** Hands over what has become readable. */
  wake(): void {
    for (const group of this.#groups.values()) group.wake()
    for (const follow of this.#followers) follow()
  }

  /** The client behind this link has been silent for longer than a session may be. */
  evict(link: Link): void {
    for (const group of this.#groups.values()) group.evict(link)
  }

  deleteTopic(name: string): void {
    for (const partition of this.log.delete(name))
      for (const group of this.#groups.values()) group.committed.delete(partition)
    this.partitionsChanged(name)
  }

  partitionsChanged(topic: string): void {
    for (const group of this.#groups.values()) if (group.subscribes(topic)) group.rebalance()
  }

  #follow(topic: string, link: Link, onRecord: (record: ConsumedRecord) => void): () => Promise<void> {
    const { partitions } = this.log.require(topic)
    const positions = new Map<MemoryPartition, number>()
    let closed = false
    const read = () => {
      for (const partition of partitions) {
        for (const record of partition.records) {
          if (closed || record.offset < (positions.get(partition) ?? 0)) continue
          positions.set(partition, record.offset + 1)
          onRecord(record)
        }
      }
    }
    const follow = () => link.push(read)
    read()
    this.#followers.add(follow)
    return async () => {
      closed = true
      this.#followers.delete(follow)
    }
  }
}

function createAdmin(cluster: MemoryCluster, ensureOpen: () => void): Admin {
  const { log } = cluster
  return {
    async createTopics(specs) {
      ensureOpen()
      return log.create(specs)
    },
    async listTopics(prefix) {
      ensureOpen()
      return log.names().filter((name) => name.startsWith(prefix))
    },
    async describeTopics(names) {
      ensureOpen()
      return names.flatMap((name) => {
        const topic = log.find(name)
        return topic === undefined ? [] : [{ ...topic.spec, partitions: topic.partitions.length }]
      })
    },
    async growPartitions(topic, partitions) {
      ensureOpen()
      log.grow(topic, partitions)
      cluster.partitionsChanged(topic)
    },
    async alterConfig(topic, config) {
      ensureOpen()
      log.alterConfig(topic, config)
    },
    async deleteTopics(names) {
      ensureOpen()
      for (const name of names) cluster.deleteTopic(name)
    },
    async lag(subscriptions) {
      ensureOpen()
      return subscriptions.flatMap(({ group, topics }) =>
        topics.flatMap((topic) =>
          log
            .require(topic)
            .partitions.map((partition) =>
              lagOf(group, partition, cluster.group(group).committed.get(partition)),
            ),
        ),
      )
    },
    async offsetsAt(points) {
      ensureOpen()
      return points.flatMap(({ topic, timestamp }) =>
        log.require(topic).partitions.map(({ partition, records, end }) => ({
          topic,
          partition,
          offset: records.find((record) => record.timestamp >= timestamp)?.offset ?? end,
        })),
      )
    },
  }
}

function lagOf(
  group: string,
  { topic, partition, begin, end }: MemoryPartition,
  committed: number | null = null,
): PartitionLag {
  const lag = Math.max(0, end - Math.max(committed ?? begin, begin))
  return { group, topic, partition, beginning: begin, end, committed, lag }
}
