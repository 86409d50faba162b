import { context } from '@opentelemetry/api'
import {
  BrokerError,
  type ConsumedRecord,
  type Producer,
  type RecordToProduce,
} from '../../../core/broker/broker.ts'
import type { Clock } from '../../../core/clock.ts'
import { header } from '../../../core/notification/envelope.ts'
import type { Reason } from '../../../core/notification/status.ts'
import type { ChannelTopics } from '../../../core/notification/topics.ts'
import { startSending } from '../../../core/observability/messaging-spans.ts'
import { failureName, replaceTrace } from '../../../core/observability/tracing.ts'
import { produceDeadLetter } from '../../dead-letter.ts'
import type { AttemptRef, ClaimResult } from '../ledger/ledger.ts'
import type { Decision } from './decide.ts'

/**
 * Records that must follow an outcome: the next attempt on a retry topic, or the dead letter. They are written after the ledger, and a
 * record is done only when they are acknowledged; a crash in between is mended by `repeat` when the record is read again.
 */
export interface FollowUps {
  /** False when the next attempt cannot be put off: its record is too large for the retry topic. */
  write(record: ConsumedRecord, ref: AttemptRef, decision: Decision, dueAt: Date | null): Promise<boolean>
  /** The same for an outcome that was recorded before. */
  repeat(
    record: ConsumedRecord,
    ref: AttemptRef,
    claim: Extract<ClaimResult, { kind: 'settled' }>,
  ): Promise<boolean>
  deadLetter(record: ConsumedRecord, reason: Reason): Promise<void>
}

export interface FollowUpOptions {
  producer: Producer
  topics: ChannelTopics
  /** In the order of `topics.retries`. */
  tiers: readonly { tier: string; milliseconds: number }[]
  clock: Clock
}

export function createFollowUps({ producer, topics, tiers, clock }: FollowUpOptions): FollowUps {
  async function retry(
    record: ConsumedRecord,
    ref: AttemptRef,
    tier: string,
    dueAt: Date,
    reason: Reason | null,
  ): Promise<boolean> {
    const topic = topics.retries.find((candidate) => candidate.tier === tier)!.topic
    try {
      await write(topic, record, (next) => producer.produce([next]), {
        ...(reason !== null && { [header.reason]: reason }),
        [header.attempt]: String(ref.attempt + 1),
        [header.replayEpoch]: String(ref.replayEpoch),
        [header.due]: String(dueAt.getTime()),
      })
      return true
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'record_too_large') return false
      throw error
    }
  }

  async function write(
    topic: string,
    record: ConsumedRecord,
    produce: (next: RecordToProduce) => Promise<unknown>,
    headers: Record<string, string>,
  ): Promise<void> {
    const origin = `${record.topic}/${record.partition}/${record.offset}`
    const sending = startSending(topic, context.active(), { id: record.headers['ce_id'] ?? origin })
    const kept = replaceTrace(record.headers, sending.headers)
    try {
      await produce({
        topic,
        key: record.key,
        value: record.value,
        headers: { ...kept, [header.origin]: origin, ...headers },
      })
      sending.end()
    } catch (error) {
      sending.end(failureName(error))
      throw error
    }
  }

  const deadLetter: FollowUps['deadLetter'] = (record, reason) =>
    write(topics.deadLetters, record, (letter) => produceDeadLetter(producer, letter), {
      [header.reason]: reason,
    })

  return {
    deadLetter,
    async write(record, ref, decision, dueAt) {
      if (decision.next === 'retry') return retry(record, ref, decision.tier, dueAt!, decision.reason)
      if (decision.next === 'dead_letter') await deadLetter(record, decision.reason)
      return true
    },
    async repeat(record, ref, { status, reason, dueAt }) {
      if (status === 'dead_lettered') await deadLetter(record, reason ?? 'retries_exhausted')
      if (status !== 'retrying' || dueAt === null || tiers.length === 0) return true
      // The shortest tier that covers what is left keeps the topic in order of what is due.
      const left = dueAt.getTime() - clock.now()
      const tier = tiers.find(({ milliseconds }) => milliseconds >= left) ?? tiers.at(-1)!
      return retry(record, ref, tier.tier, dueAt, reason)
    },
  }
}
