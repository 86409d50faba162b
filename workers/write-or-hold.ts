import type { BrokerError, Producer, RecordToProduce } from '../core/broker/broker.ts'
import type { RecordVerdict } from '../core/notification/status.ts'
import type { RecordToHold } from '../core/store/held-records.ts'
import type { CountingProducer } from './acknowledged.ts'
import { ClosedTopics, type ClosedTopicsOptions } from './closed-topics.ts'
import { isVerdict, refusalOf } from './produce-each.ts'

export interface WriteOrHoldOptions extends ClosedTopicsOptions {
  producer: CountingProducer
  /** Keeps a record until its topic takes it. */
  hold: (record: RecordToHold) => Promise<void>
}

interface RecordToWrite extends RecordToProduce {
  headers: Readonly<Record<string, string>>
}

/**
 * Writes a record, or has it kept where its topic is missing, not ours to write, or without a leader: then it waits alone. When nothing else is
 * acknowledged either, the brokers are away, and it rejects: whoever asked holds. Answers why its topic will never take it, where it says so.
 */
export type WriteOrHold = (
  record: RecordToWrite,
  held: Pick<RecordToHold, 'delivery' | 'state'>,
  produce: (producer: Producer, record: RecordToWrite) => Promise<unknown>,
) => Promise<RecordVerdict | undefined>

/** A topic that refuses is not asked again for a while. */
export function createWriteOrHold({ producer, hold, clock, logger }: WriteOrHoldOptions): WriteOrHold {
  const closed = new ClosedTopics({ clock, logger })
  return async (record, held, produce) => {
    if (!closed.has(record.topic)) {
      const before = producer.acknowledged()
      try {
        await produce(producer, record)
        return undefined
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal === undefined) throw error
        if (isVerdict(refusal)) return refusal
        if (refusal === 'away' && producer.acknowledged() === before) throw error
        closed.add(record.topic, refusal, error as BrokerError)
      }
    }
    await hold({ ...record, ...held })
    return undefined
  }
}
