import { BrokerError } from '../../broker.ts'
import type { BrokerPool, ClusterMetadata } from '../kafkajs.ts'

/** Milliseconds for where things are: brokers know it by heart, and when one hangs the next may be asked. */
const METADATA_TIMEOUT_MS = 2_000

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

/** A client's looks at the metadata of its cluster. */
export class Metadata {
  readonly #pool: BrokerPool
  /** Those of the newest look. */
  #topics: readonly string[] = []
  /** The look at the cluster that is under way, and the one that follows it: whoever asks meanwhile joins that. */
  #look: Promise<unknown> = Promise.resolve()
  #nextLook: { topics: Set<string>; answer: Promise<ClusterMetadata> } | undefined

  constructor(pool: BrokerPool) {
    this.#pool = pool
  }

  /** Whether a node was among the brokers at the newest look. */
  knows(node: number): boolean {
    return this.#pool.metadata?.brokers.some(({ nodeId }) => nodeId === node) ?? false
  }

  /** Looks at the cluster again, at the same topics. */
  async refresh(): Promise<void> {
    await this.#lookUp(this.#topics)
  }

  /** Where topics are at present. At least one topic must be named. */
  async locate(topics: readonly string[]): Promise<Map<string, TopicPlace>> {
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
      return this.#lookAt([...topics])
    })
    this.#look = answer.catch(() => {})
    return { topics, answer }
  }

  async #lookAt(topics: readonly string[]): Promise<ClusterMetadata> {
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
  async names(): Promise<string[]> {
    const broker = await this.#pool.findConnectedBroker()
    // To kafkajs no names are all names.
    const { topicMetadata } = await inTime(broker.metadata([]))
    return topicMetadata.map(({ topic }) => topic)
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
