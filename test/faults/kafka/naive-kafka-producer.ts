import { Kafka, logLevel, Partitioners, type Producer as KafkaJsProducer } from 'kafkajs'
import type { Producer } from '../../../core/broker/broker.ts'
import { partitionForKey } from '../../../core/broker/partitioner.ts'

/**
 * What one would write first: kafkajs's own producer, idempotent as its documentation advises, its answer believed. It loses records that
 * it acknowledged; the tests of our own producer must fail with it, or they prove nothing.
 */
export async function openNaiveProducer(
  brokers: readonly string[],
  partitions: number,
): Promise<{ producer: Producer; close(): Promise<void> }> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, connectionTimeout: 3_000 })
  const producer: KafkaJsProducer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 60, initialRetryTime: 100, maxRetryTime: 500 },
  })
  await producer.connect()
  return {
    producer: {
      async produce(records) {
        const byTopic = Map.groupBy(records, ({ topic }) => topic)
        await producer.sendBatch({
          acks: -1,
          topicMessages: [...byTopic].map(([topic, members]) => ({
            topic,
            messages: members.map(({ key, value, partition }) => ({
              key,
              value,
              partition: partition ?? partitionForKey(key ?? '', partitions),
            })),
          })),
        })
        return records.map(({ topic, partition }) => ({ topic, partition: partition ?? 0, offset: 0 }))
      },
    },
    close: () => producer.disconnect(),
  }
}
