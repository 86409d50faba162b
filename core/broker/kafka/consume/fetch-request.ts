import type { ConsumedRecord } from '../../broker.ts'
import { Batch, type RawMessage } from '../kafkajs.ts'
import { byTopic } from '../offsets.ts'
import type { Cursor } from './cursor.ts'

/** Milliseconds that a broker holds a fetch back while there is nothing: also how long `resume` and `stop` may take to be felt. */
const MAX_WAIT_MS = 250
const MAX_BYTES = 8 * 1024 * 1024
const MAX_PARTITION_BYTES = 1024 * 1024
const READ_COMMITTED = 1

/** What one leader answers. `errorCode` speaks of the request as a whole. */
export interface FetchAnswer {
  errorCode?: number
  responses: { topicName: string; partitions: (FetchedData & { errorCode: number })[] }[]
}

/** What was read of one partition. */
export interface FetchedData {
  partition: number
  messages: RawMessage[]
}

/** Asks one leader for what follows the cursors, which share what an answer may hold in the order of the list. */
export function fetchRequest(cursors: readonly Cursor[]) {
  return {
    replicaId: -1,
    isolationLevel: READ_COMMITTED,
    maxWaitTime: MAX_WAIT_MS,
    minBytes: 1,
    maxBytes: MAX_BYTES,
    rackId: '',
    topics: byTopic(cursors, ({ partition, position }) => ({
      partition,
      fetchOffset: String(position),
      maxBytes: MAX_PARTITION_BYTES,
    })),
  }
}

/** The records from an offset on that a reader may see, and the offset to read next; undefined where nothing has come. */
export function readFetched(
  topic: string,
  asked: number,
  data: FetchedData,
): { records: ConsumedRecord[]; next: number } | undefined {
  const batch = new Batch(topic, String(asked), { abortedTransactions: [], ...data })
  const last = batch.rawMessages.at(-1)
  if (!last) return undefined
  return {
    records: batch.messages.map((message) => toRecord(topic, data.partition, message)),
    // What a reader may not see counts too: markers of transactions, aborted records.
    next: Math.max(asked, Number(last.offset) + 1),
  }
}

function toRecord(topic: string, partition: number, message: RawMessage): ConsumedRecord {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last) headers[name] = last.toString()
  }
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key === null ? null : message.key.toString(),
    value: message.value,
    headers,
    timestamp: Number(message.timestamp),
  }
}
