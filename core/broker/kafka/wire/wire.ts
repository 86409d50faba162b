import type { ConnectionOptions } from 'node:tls'
import { BrokerError } from '../../broker.ts'
import {
  type BrokerPool,
  Cluster,
  type ClusterMetadata,
  createLogger,
  createSocketFactory,
  LEVELS,
  type SASLOptions,
} from '../kafkajs.ts'
import { releaseEndedSockets } from './ended-sockets.ts'
import { failOn } from './kafka-error.ts'
import { Metadata, type TopicPlace } from './metadata.ts'
import { type Api, type Channel, send } from './request.ts'
import { endSilentConnections } from './silent-connections.ts'
import { stopTimerLoop } from './timer-loop.ts'

export interface WireOptions {
  /** `host:port` of one broker or more; the others are found through them. */
  bootstrapServers: readonly string[]
  clientId: string
  tls?: ConnectionOptions
  sasl?: SASLOptions
}

/** Milliseconds. A broker that is there connects and authenticates within a fraction of these. */
const CONNECTION_TIMEOUT_MS = 3_000
const AUTHENTICATION_TIMEOUT_MS = 5_000
/** Milliseconds after which an answer is given up, unless the request itself may take longer, as a fetch or a join. */
const REQUEST_TIMEOUT_MS = 7_000

/**
 * A client's connections to a cluster: asks one broker one thing, once, and answers what the broker says, error codes and all. Whether
 * and when to ask again is up to the caller. (kafkajs itself throws at the first error code in an answer and drops the rest.)
 */
export class Wire {
  readonly #cluster: Cluster
  readonly #pool: BrokerPool
  readonly #metadata: Metadata
  #closed = false

  constructor({ bootstrapServers, clientId, tls, sasl }: WireOptions) {
    stopTimerLoop()
    endSilentConnections()
    releaseEndedSockets()
    const createSocket = createSocketFactory()
    this.#cluster = new Cluster({
      brokers: bootstrapServers,
      clientId,
      ssl: tls,
      sasl,
      logger: createLogger({ level: LEVELS.NOTHING, logCreator: () => () => {} }),
      // The end of a large request must not wait for the acknowledgement of what went before (Nagle's algorithm).
      socketFactory: (options: object) => createSocket(options).setNoDelay(),
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      authenticationTimeout: AUTHENTICATION_TIMEOUT_MS,
      reauthenticationThreshold: 10_000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      metadataMaxAge: 0,
      allowAutoTopicCreation: false,
      retry: { retries: 0, initialRetryTime: 50, maxRetryTime: 50 },
    })
    this.#pool = this.#cluster.brokerPool
    this.#metadata = new Metadata(this.#pool)
    // Metadata too is taken as it comes: one topic without a leader must not hide the others.
    const create = this.#pool.createBroker
    this.#pool.createBroker = (options) => {
      const broker = create(options)
      broker.metadata = async (topics) =>
        (await send(broker, 'Metadata', { topics, allowAutoTopicCreation: false })) as ClusterMetadata
      return broker
    }
  }

  /** Asks a node that some metadata named. Rejects when it cannot be reached or does not answer in time. */
  async ask<Answer>(node: number, api: Api, args: object, channel: Channel = 'asking'): Promise<Answer> {
    this.#ensureOpen()
    // A node that is new to the cluster, or to us.
    if (!this.#metadata.knows(node)) await this.#metadata.refresh()
    const broker = await this.#pool.findBroker({ nodeId: node })
    return (await send(broker, api, args, channel)) as Answer
  }

  /** Asks any node. */
  async askAny<Answer>(api: Api, args: object): Promise<Answer> {
    this.#ensureOpen()
    const broker = await this.#pool.findConnectedBroker()
    return (await send(broker, api, args)) as Answer
  }

  /** Where topics are at present. At least one topic must be named. */
  async locate(topics: readonly string[]): Promise<Map<string, TopicPlace>> {
    this.#ensureOpen()
    return await this.#metadata.locate(topics)
  }

  /** The names of all topics that this client may see. */
  async topics(): Promise<string[]> {
    this.#ensureOpen()
    return await this.#metadata.names()
  }

  /** The node that coordinates a group. */
  async coordinator(group: string): Promise<number> {
    const answer = await this.askAny<{ errorCode: number; coordinator: { nodeId: number; host: string } }>(
      'GroupCoordinator',
      { groupId: group, coordinatorType: 0 },
    )
    failOn(answer.errorCode, `group ${group}`)
    return answer.coordinator.nodeId
  }

  /** Closes all connections. What is under way is answered or rejected. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#cluster.disconnect()
  }

  #ensureOpen(): void {
    if (this.#closed) throw new BrokerError('closed', 'this client of the broker was closed')
  }
}
