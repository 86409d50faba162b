import type { Logger } from '../../observability/logger.ts'
import {
  type Admin,
  type Broker,
  BrokerError,
  type Consumer,
  type ConsumedRecord,
  type ConsumerOptions,
  type Follower,
  type PartitionLag,
  type Producer,
  type RecordToProduce,
  type TopicPartitionOffset,
} from '../broker.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import { EmbeddedConsumer } from './consumer.ts'
import type { Fetcher } from './fetch.ts'
import { EmbeddedFollower } from './follower.ts'
import type { Group } from './group.ts'
import type { LogWriter } from './log-writer.ts'
import { withPatience } from './store-access.ts'
import type { Topics } from './topics.ts'

/** What all clients of one embedded broker share. */
export interface Log {
  topics: Topics
  writer: LogWriter
  fetcher: Fetcher
  offsets: CommittedOffsets
  logger: Logger
  group(name: string): Group
}

/** One client of the embedded broker: what it opened ends with it, and nothing else does. */
export class EmbeddedClient implements Broker {
  readonly producer: Producer = { produce: (records) => this.#produce(records) }
  readonly admin: Admin
  readonly #log: Log
  readonly #unfinished = new Set<Promise<unknown>>()
  readonly #consumers = new Set<Consumer>()
  readonly #followers = new Set<Follower>()
  #closed = false

  constructor(log: Log) {
    this.#log = log
    this.admin = createAdmin(log, () => this.#ensureOpen())
  }

  consumer(options: ConsumerOptions): Consumer {
    this.#ensureOpen()
    const consumer: Consumer = new EmbeddedConsumer({
      ...options,
      log: this.#log,
      onStopped: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    return consumer
  }

  async follow(topic: string, onRecord: (record: ConsumedRecord) => void): Promise<Follower> {
    this.#ensureOpen()
    const { topics, fetcher, logger } = this.#log
    const onClosed = (): void => void this.#followers.delete(follower)
    const follower = new EmbeddedFollower({ topics, fetcher, logger, topic, onRecord, onClosed })
    this.#followers.add(follower)
    await follower.caughtUp()
    return follower
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#unfinished)
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    await Promise.all([...this.#followers].map((follower) => follower.close()))
  }

  async #produce(records: readonly RecordToProduce[]): Promise<TopicPartitionOffset[]> {
    this.#ensureOpen()
    const appended = this.#log.writer.produce(records)
    this.#unfinished.add(appended)
    try {
      return await appended
    } finally {
      this.#unfinished.delete(appended)
    }
  }

  #ensureOpen(): void {
    if (this.#closed) throw new BrokerError('closed', 'this client of the broker was closed')
  }
}

function createAdmin({ topics, offsets, fetcher }: Log, ensureOpen: () => void): Admin {
  return {
    async createTopics(specs) {
      ensureOpen()
      return await topics.create(specs)
    },
    async listTopics(prefix) {
      ensureOpen()
      return topics.all().flatMap(({ name }) => (name.startsWith(prefix) ? [name] : []))
    },
    async describeTopics(names) {
      ensureOpen()
      return names.flatMap((name) => {
        const topic = topics.find(name)
        if (!topic) return []
        const { replicas, config, partitions } = topic
        return [{ name, partitions: partitions.length, replicas, config }]
      })
    },
    async growPartitions(topic, partitions) {
      ensureOpen()
      await topics.grow(topic, partitions)
    },
    async alterConfig(topic, config) {
      ensureOpen()
      await topics.alterConfig(topic, config)
    },
    async deleteTopics(names) {
      ensureOpen()
      await topics.delete(names)
    },
    async lag(subscriptions) {
      ensureOpen()
      return subscriptions.flatMap(({ group, topics: names }) =>
        names.flatMap((name) =>
          topics.require(name).partitions.map((partition): PartitionLag => {
            const { begin, end } = partition
            const committed = offsets.get(group, partition)
            const lag = Math.max(0, end - Math.max(committed ?? begin, begin))
            return {
              group,
              topic: name,
              partition: partition.partition,
              beginning: begin,
              end,
              committed,
              lag,
            }
          }),
        ),
      )
    },
    async offsetsAt(points) {
      ensureOpen()
      const asked = points.flatMap(({ topic, timestamp }) =>
        topics.require(topic).partitions.map((partition) => ({ topic, partition, timestamp })),
      )
      const found = await withPatience(() => fetcher.offsetsAt(asked))
      return asked.map(({ topic, partition }, index) => ({
        topic,
        partition: partition.partition,
        offset: found[index] ?? partition.end,
      }))
    },
  }
}
