import {
  BrokerError,
  type BrokerErrorCode,
  type Producer,
  type RecordToProduce,
} from '../core/broker/broker.ts'
import type { RecordVerdict } from '../core/notification/status.ts'

/** Why a topic does not take a record: it never will; not before somebody sees to the topic; or not now, and then it may be in the log. */
export type Refusal = RecordVerdict | 'no_topic' | 'away'

export interface Refused<R> {
  record: R
  refusal: Refusal
  error: BrokerError
}

/** What its topic will never take. It says nothing of the topic's other records. */
export interface Judged<R> extends Refused<R> {
  refusal: RecordVerdict
}

/** What its topic may take later. */
export interface Postponed<R> extends Refused<R> {
  refusal: Exclude<Refusal, RecordVerdict>
}

/** Parts what its topic will never take from what it may take later. */
export function partRefused<R>(refused: readonly Refused<R>[]): {
  judged: Judged<R>[]
  later: Postponed<R>[]
} {
  const isJudged = (one: Refused<R>): one is Judged<R> => isVerdict(one.refusal)
  const isLater = (one: Refused<R>): one is Postponed<R> => !isVerdict(one.refusal)
  return { judged: refused.filter(isJudged), later: refused.filter(isLater) }
}

/**
 * Produces records, each topic by itself, so that one which refuses keeps nothing from the others; answers what was refused. Rejects with a
 * BrokerError when the fault is this client's: it is closed, or too much waits in it.
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
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    if (!isVerdict(refusal) || group.length === 1)
      return group.map((record) => ({ record, refusal, error: error as BrokerError }))
    // Said of one of them; of which one, only asking for each tells. All at once: they keep their order, and share their requests.
    const each = await Promise.all(group.map((record) => produceGroup(producer, [record])))
    return each.flat()
  }
}

/** What a failed write says of its topic; `undefined` when it says nothing. */
export function refusalOf(error: unknown): Refusal | undefined {
  return error instanceof BrokerError ? refusals[error.code] : undefined
}

/** Whether a refusal is final, and of the record alone. */
export function isVerdict(refusal: Refusal): refusal is RecordVerdict {
  return refusal === 'too_large' || refusal === 'invalid_record'
}

const refusals: Partial<Record<BrokerErrorCode, Refusal>> = {
  record_too_large: 'too_large',
  invalid_record: 'invalid_record',
  unknown_topic: 'no_topic',
  unauthorized: 'no_topic',
  invalid: 'no_topic',
  unavailable: 'away',
}
