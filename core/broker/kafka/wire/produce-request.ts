import { Encoder } from '../kafkajs.ts'
import { encodeRecordBatch, type RecordFields } from './record-batch.ts'

/** What is asked of one leader. */
export interface ProduceRequest {
  /** All copies. */
  acks: -1
  /** Milliseconds that the broker may wait for them. */
  timeout: number
  topicData: readonly {
    topic: string
    partitions: readonly { partition: number; messages: readonly RecordFields[] }[]
  }[]
}

/** The body of a Produce request, alike in versions 3 to 7. @param now milliseconds since the epoch: the records' timestamp */
export function encodeProduce({ acks, timeout, topicData }: ProduceRequest, now: number): Encoder {
  const topics = topicData.map(({ topic, partitions }) => {
    const encoded = partitions.map(({ partition, messages }) => {
      const batch = encodeRecordBatch(messages, now)
      return new Encoder(batch.length + 8).writeInt32(partition).writeInt32(batch.length).writeBuffer(batch)
    })
    return new Encoder().writeString(topic).writeArray(encoded)
  })
  return new Encoder().writeString(null).writeInt16(acks).writeInt32(timeout).writeArray(topics)
}
