import type {
  Broker,
  ConsumerHandlers,
  RecordToProduce,
  TopicPartitionOffset,
} from '../../core/broker/broker.ts'

export interface ScriptedBroker {
  /** Its producer takes everything; its admin knows no topics. */
  broker: Broker
  /** Of the last consumer of each group: what a cluster would tell it, the test does. */
  consumers: Map<string, ConsumerHandlers>
  produced: RecordToProduce[]
  /** In order. */
  committed: TopicPartitionOffset[]
}

/** A broker whose consumers hear what the test says, and nothing else. */
export function scriptedBroker(): ScriptedBroker {
  const consumers = new Map<string, ConsumerHandlers>()
  const produced: RecordToProduce[] = []
  const committed: TopicPartitionOffset[] = []
  const unused = () => Promise.reject(new Error('not scripted'))
  const broker: Broker = {
    producer: {
      async produce(records) {
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
  }
}
