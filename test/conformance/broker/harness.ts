import { onTestFinished, vi } from 'vitest'
import type { Broker, BrokerErrorCode, ConsumedRecord } from '../../../core/broker/broker.ts'

/** A cluster to hold an implementation against. One serves a whole run of the suite; topics and groups keep its tests apart. */
export interface BrokerCluster {
  /** A new client of the same cluster. */
  open(): Promise<Broker>
  /** Never the same twice. */
  topicName(): string
  /** Kills the cluster without warning (`kill -9`), does what is given, and starts it again on the same data at the same address. */
  restart?(whileDown: () => Promise<void>): Promise<void>
  /** Applies retention and compaction now. Without it the cluster must do so by itself within `cleaningMs`. */
  clean?(): Promise<void>
  close(): Promise<void>
  capabilities: BrokerCapabilities
}

export interface BrokerCapabilities {
  /** Milliseconds after which what should have happened did not. */
  deadlineMs: number
  /** The same for retention and compaction, which Kafka does in the background. */
  cleaningMs: number
  /** Milliseconds that a cluster may need to serve again after `restart`. */
  recoveryMs: number
}

/** What the tests of the suite share. */
export class Bench {
  readonly #cluster: () => BrokerCluster

  constructor(cluster: () => BrokerCluster) {
    this.#cluster = cluster
  }

  get cluster(): BrokerCluster {
    return this.#cluster()
  }

  /** A client that is closed at the end of the test. */
  async open(): Promise<Broker> {
    const broker = await this.cluster.open()
    onTestFinished(() => broker.close())
    return broker
  }

  /** A client and a topic. */
  async withTopic(
    partitions = 1,
    config: Readonly<Record<string, string>> = {},
  ): Promise<{ broker: Broker; topic: string }> {
    const broker = await this.open()
    return { broker, topic: await this.topic(broker, partitions, config) }
  }

  /** A new topic, visible to the client. */
  async topic(
    broker: Broker,
    partitions = 1,
    config: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const name = this.cluster.topicName()
    await broker.admin.createTopics([{ name, partitions, replicas: 1, config }])
    await this.eventually(async () => {
      const [topic] = await broker.admin.describeTopics([name])
      if (topic?.partitions !== partitions) throw new Error(`${name} is not visible`)
    })
    return name
  }

  /** Tries until it does not throw; throws the last error at the deadline. */
  async eventually<T>(
    attempt: () => T | Promise<T>,
    timeout = this.cluster.capabilities.deadlineMs,
  ): Promise<T> {
    return await vi.waitFor(attempt, { timeout, interval: 20 })
  }

  /** Everything that is in a topic now. */
  async readAll(broker: Broker, topic: string): Promise<ConsumedRecord[]> {
    const records: ConsumedRecord[] = []
    const follower = await broker.follow(topic, (record) => records.push(record))
    await follower.close()
    return records
  }
}

/** What a `BrokerError` of this code looks like to `expect(…).rejects`. */
export function brokerError(code: BrokerErrorCode) {
  return { name: 'BrokerError', code }
}

/** `count` numbered texts. */
export function texts(count: number, prefix = 'm'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

/** The text of a record's value. */
export function textOf({ value }: { value: Buffer | null }): string {
  return String(value)
}
