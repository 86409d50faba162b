import type { ConnectionOptions } from 'node:tls'
import type { Logger } from '../observability/logger.ts'
import {
  type Admin,
  type Broker,
  BrokerError,
  type ConsumedRecord,
  type Consumer,
  type ConsumerOptions,
  type Follower,
  type Producer,
} from './broker.ts'
import { kafkaAdmin } from './kafka/admin.ts'
import { KafkaConsumer } from './kafka/consume/consumer.ts'
import { KafkaFollower } from './kafka/consume/follower.ts'
import type { SASLOptions } from './kafka/kafkajs.ts'
import { KafkaProducer } from './kafka/produce/producer.ts'
import { Wire } from './kafka/wire/wire.ts'

export interface KafkaBrokerOptions {
  /** `host:port` of one broker or more; the others are found through them. */
  bootstrapServers: readonly string[]
  /** What the brokers' logs and quotas call this process. */
  clientId: string
  /** Present when the brokers speak TLS; `{}` trusts the authorities that Node trusts. */
  tls?: ConnectionOptions
  sasl?: SASLOptions
  logger: Logger
}

/** A client of a Kafka cluster. It connects when it is first used, and again whenever a connection was lost. */
export function openKafkaBroker({ logger, ...options }: KafkaBrokerOptions): Broker {
  return new KafkaBroker(() => new Wire(options), logger)
}

/** Producer and admin, each consumer and each follower have connections of their own: none holds up another. */
class KafkaBroker implements Broker {
  readonly producer: Producer
  readonly admin: Admin
  readonly #newWire: () => Wire
  readonly #logger: Logger
  readonly #produceWire: Wire
  readonly #adminWire: Wire
  readonly #kafkaProducer: KafkaProducer
  readonly #consumers = new Set<Consumer>()
  readonly #followers = new Set<Follower>()
  #closed: Promise<void> | undefined

  constructor(newWire: () => Wire, logger: Logger) {
    this.#newWire = newWire
    this.#logger = logger
    this.#produceWire = newWire()
    this.#adminWire = newWire()
    this.#kafkaProducer = new KafkaProducer(this.#produceWire)
    this.producer = this.#kafkaProducer
    this.admin = kafkaAdmin(this.#adminWire)
  }

  consumer(options: ConsumerOptions): Consumer {
    this.#ensureOpen()
    const consumer: Consumer = new KafkaConsumer({
      ...options,
      wire: this.#newWire(),
      onStopped: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    return consumer
  }

  async follow(topic: string, onRecord: (record: ConsumedRecord) => void): Promise<Follower> {
    this.#ensureOpen()
    const follower = new KafkaFollower({
      wire: this.#newWire(),
      topic,
      onRecord,
      onFailure: (error) => this.#logger.warn({ err: error, topic }, 'Cannot read on; it is tried again'),
      onClosed: () => this.#followers.delete(follower),
    })
    this.#followers.add(follower)
    await follower.start()
    return follower
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#kafkaProducer.close()
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    await Promise.all([...this.#followers].map((follower) => follower.close()))
    await Promise.all([this.#produceWire.close(), this.#adminWire.close()])
  }

  #ensureOpen(): void {
    if (this.#closed) throw new BrokerError('closed', 'this client of the broker was closed')
  }
}
