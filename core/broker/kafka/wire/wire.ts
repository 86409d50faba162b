import type { ConnectionOptions } from 'node:tls'
import { BrokerError } from '../../broker.ts'
import {
  apiKeys,
  type BrokerConnection,
  type BrokerPool,
  Cluster,
  type ClusterMetadata,
  createLogger,
  createSocketFactory,
  LEVELS,
  type Protocol,
  requests,
  type SASLOptions,
} from '../kafkajs.ts'
import { incrementalAlterConfigs } from './incremental-alter-configs.ts'
import { failOn } from './kafka-error.ts'
import { encodeProduce, type ProduceRequest } from './produce-request.ts'
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
/** Milliseconds for where things are: brokers know it by heart, and when one hangs the next may be asked. */
const METADATA_TIMEOUT_MS = 2_000

export type Api =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'GroupCoordinator'
  | 'JoinGroup'
  | 'Heartbeat'
  | 'LeaveGroup'
  | 'SyncGroup'
  | 'CreateTopics'
  | 'DeleteTopics'
  | 'DescribeConfigs'
  | 'IncrementalAlterConfigs'
  | 'CreatePartitions'

/**
 * Two connections go to each broker. A broker answers the requests of one connection in turn, so what waits by design (`reading`: a
 * fetch) must not hold up the rest (`asking`).
 */
export type Channel = 'asking' | 'reading'

export interface PartitionPlace {
  partition: number
  /** The node that leads it, or -1 while there is none. */
  leader: number
  replicas: number
}

/** What a cluster says of a topic: its partitions in order, or an error code and none. */
export interface TopicPlace {
  error: number
  partitions: PartitionPlace[]
}

/**
 * A client's connections to a cluster: asks one broker one thing, once, and answers what the broker says, error codes and all. Whether
 * and when to ask again is up to the caller. (kafkajs itself throws at the first error code in an answer and drops the rest.)
 */
export class Wire {
  readonly #cluster: Cluster
  readonly #pool: BrokerPool
  #topics: readonly string[] = []
  /** The look at the cluster that is under way, and the one that follows it: whoever asks meanwhile joins that. */
  #look: Promise<unknown> = Promise.resolve()
  #nextLook: { topics: Set<string>; answer: Promise<ClusterMetadata> } | undefined
  #closed = false

  constructor({ bootstrapServers, clientId, tls, sasl }: WireOptions) {
    stopTimerLoop()
    endSilentConnections()
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
    if (!this.#pool.metadata?.brokers.some(({ nodeId }) => nodeId === node)) {
      await this.#lookUp(this.#topics)
    }
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
    const asked = new Set(topics)
    const { topicMetadata } = await this.#lookUp(topics)
    const found = topicMetadata.filter(({ topic }) => asked.has(topic))
    return new Map(
      found.map(({ topic, topicErrorCode, partitionMetadata }): [string, TopicPlace] => {
        // LEADER_NOT_AVAILABLE is said of partitions too; a topic that has some is known.
        if (topicErrorCode !== 0 && partitionMetadata.length === 0) {
          return [topic, { error: topicErrorCode, partitions: [] }]
        }
        const partitions = partitionMetadata
          .map(({ partitionId, leader, replicas }) => ({
            partition: partitionId,
            leader,
            replicas: replicas.length,
          }))
          .toSorted((a, b) => a.partition - b.partition)
        return [topic, { error: 0, partitions }]
      }),
    )
  }

  /**
   * One look at a time, because kafkajs keeps the last answer only, whoever asked for it; the topics of all who wait are asked for at once. None means all
   * there are.
   */
  #lookUp(topics: readonly string[]): Promise<ClusterMetadata> {
    const next = (this.#nextLook ??= this.#prepareLook())
    for (const topic of topics) next.topics.add(topic)
    return next.answer
  }

  #prepareLook(): { topics: Set<string>; answer: Promise<ClusterMetadata> } {
    const topics = new Set<string>()
    const answer = this.#look.then(() => {
      this.#nextLook = undefined
      return this.#refresh([...topics])
    })
    this.#look = answer.catch(() => {})
    return { topics, answer }
  }

  async #refresh(topics: readonly string[]): Promise<ClusterMetadata> {
    this.#topics = topics
    await inTime(this.#pool.refreshMetadata(topics))
    const { metadata } = this.#pool
    const answered = new Set(metadata?.topicMetadata.map(({ topic }) => topic))
    // An earlier look that was given up may be answered just now.
    if (metadata === null || !topics.every((topic) => answered.has(topic)))
      throw new BrokerError('unavailable', 'Kafka did not say where the topics are')
    return metadata
  }

  /** The names of all topics that this client may see. */
  async topics(): Promise<string[]> {
    this.#ensureOpen()
    const broker = await this.#pool.findConnectedBroker()
    // To kafkajs no names are all names.
    const { topicMetadata } = await inTime(broker.metadata([]))
    return topicMetadata.map(({ topic }) => topic)
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

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('a broker does not answer')), METADATA_TIMEOUT_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

async function send(
  broker: BrokerConnection,
  api: Api | 'Metadata',
  args: object,
  channel: Channel = 'asking',
): Promise<unknown> {
  const protocol = protocolOf(broker, api, args)
  const connection = await broker.connectionPool.getConnection(channel === 'reading' ? 1 : 0)
  return await connection.send({
    ...protocol,
    response: { decode: protocol.response.decode, parse: (decoded) => Promise.resolve(decoded) },
  })
}

function protocolOf(broker: BrokerConnection, api: Api | 'Metadata', args: object): Protocol {
  if (api === 'IncrementalAlterConfigs') {
    return incrementalAlterConfigs(args as Parameters<typeof incrementalAlterConfigs>[0])
  }
  const protocol = broker.lookupRequest(apiKeys[api]!, requests[api]!)(args)
  if (api !== 'Produce') return protocol
  const encode = () => Promise.resolve(encodeProduce(args as ProduceRequest, Date.now()))
  return { ...protocol, request: { ...protocol.request, encode } }
}
