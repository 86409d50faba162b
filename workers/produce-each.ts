import {
  BrokerError,
  type BrokerErrorCode,
  type Producer,
  type RecordToProduce,
} from '../core/broker/broker.ts'

/** Why a topic will not take a record, however often it is asked. */
export type Refusal = 'too_large' | 'no_topic'

export interface Refused<R> {
  record: R
  refusal: Refusal
}

/**
 * Produces records, each topic by itself, so that one which refuses keeps nothing from the others; answers what was refused. Rejects with a
 * BrokerError when the brokers are away: then any of the records may be in the log.
 */
export async function produceEach<R extends RecordToProduce>(
  producer: Producer,
  records: readonly R[],
): Promise<Refused<R>[]> {
  const byTopic = [...Map.groupBy(records, ({ topic }) => topic).values()]
  const results = await Promise.allSettled(byTopic.map((group) => produceGroup(producer, group)))
  return results.flatMap((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

async function produceGroup<R extends RecordToProduce>(
  producer: Producer,
  group: readonly R[],
): Promise<Refused<R>[]> {
  try {
    await producer.produce(group)
    return []
  } catch (error) {
    const refusal = error instanceof BrokerError ? refusals[error.code] : undefined
    if (refusal === undefined) throw error
    if (refusal === 'no_topic' || group.length === 1) return group.map((record) => ({ record, refusal }))
    // One of them is too large; which one, only asking for each tells. All at once: they keep their order, and share their requests.
    const each = await Promise.all(group.map((record) => produceGroup(producer, [record])))
    return each.flat()
  }
}

/** What does not mend by asking again. */
const refusals: Partial<Record<BrokerErrorCode, Refusal>> = {
  record_too_large: 'too_large',
  unknown_topic: 'no_topic',
  unauthorized: 'no_topic',
  invalid: 'no_topic',
}
