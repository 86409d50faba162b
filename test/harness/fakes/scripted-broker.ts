import type {
  Broker,
  ConsumerHandlers,
  RecordToProduce,
  TopicPartitionOffset,
} from '../../../core/broker/broker.ts'

type Refusal = Error | undefined

export interface ScriptedBroker {
  /** Its producer takes everything but `refusals`; its admin knows no topics. */
  broker: Broker
  /** Of the last consumer of each group: what a cluster would tell it, the test does. */
  consumers: Map<string, ConsumerHandlers>
  produced: RecordToProduce[]
  /** The topics of every call of the producer, also of those that were refused. */
  attempts: string[]
  /** What the producer refuses, by topic, and how. */
  refusals: Map<string, Error | ((records: readonly RecordToProduce[]) => Refusal | Promise<Refusal>)>
  /** In order. */
  committed: TopicPartitionOffset[]
}

/** A broker whose consumers hear what the test says, and nothing else. */
export function scriptedBroker(): ScriptedBroker {
  const consumers = new Map<string, ConsumerHandlers>()
  const produced: RecordToProduce[] = []
  const committed: TopicPartitionOffset[] = []
  const attempts: string[] = []
  const refusals: ScriptedBroker['refusals'] = new Map()
  const unused = () => Promise.reject(new Error('not scripted'))
  const broker: Broker = {
    producer: {
      async produce(records) {
        const topics = new Set(records.map(({ topic }) => topic))
        attempts.push(...topics)
        for (const topic of topics) {
          const refusal = refusals.get(topic)
          const error = typeof refusal === 'function' ? await refusal(records) : refusal
          if (error !== undefined) throw error
        }
        produced.push(...records)
        return records.map(({ topic }, offset) => ({ topic, partition: 0, offset }))
      },
    },
    admin: {
      listTopics: async () => [],
      lag: unused,
      offsetsAt: unused,
      createTopics: unused,
      describeTopics: unused,
      growPartitions: unused,
      alterConfig: unused,
      deleteTopics: unused,
    },
    consumer({ group, handlers }) {
      consumers.set(group, handlers)
      return {
        start: async () => {},
        pause: () => {},
        resume: () => {},
        commit: async (_epoch, offsets) => void committed.push(...offsets),
        stop: async () => {},
      }
    },
    follow: unused,
    close: async () => {},
  }
  return {
    broker,
    consumers,
    produced,
    committed,
    attempts,
    refusals,
  }
}
