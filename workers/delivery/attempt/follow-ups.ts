import { context } from '@opentelemetry/api'
import type { BrokerError, ConsumedRecord, RecordToProduce } from '../../../core/broker/broker.ts'
import type { Clock } from '../../../core/clock.ts'
import { header } from '../../../core/notification/envelope.ts'
import { recordIdFor } from '../../../core/notification/ids.ts'
import type { Reason } from '../../../core/notification/status.ts'
import type { ChannelTopics } from '../../../core/notification/topics.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import { startSending } from '../../../core/observability/messaging-spans.ts'
import { failureName, replaceTrace } from '../../../core/observability/tracing.ts'
import type { HeldState, RecordToHold } from '../../../core/store/held-records.ts'
import type { CountingProducer } from '../../acknowledged.ts'
import { ClosedTopics } from '../../closed-topics.ts'
import { produceDeadLetter } from '../../dead-letter.ts'
import { refusalOf } from '../../produce-each.ts'
import type { AttemptRef, ClaimResult } from '../ledger/ledger.ts'
import type { Decision } from './decide.ts'

/**
 * Records that must follow an outcome: the next attempt on a retry topic, or the dead letter. They are written after the ledger, and a
 * record is done only when they are acknowledged, or kept until their topic takes them; a crash in between is mended by `repeat` when the
 * record is read again.
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
  /** @param ref absent for a record that nobody can read */
  deadLetter(record: ConsumedRecord, reason: Reason, ref?: AttemptRef): Promise<void>
}

export interface FollowUpOptions {
  producer: CountingProducer
  /** Keeps a record until its topic takes it. */
  hold: (record: RecordToHold) => Promise<void>
  topics: ChannelTopics
  /** In the order of `topics.retries`. */
  tiers: readonly { tier: string; milliseconds: number }[]
  clock: Clock
  logger: Logger
}

interface FollowUp extends RecordToProduce {
  headers: Readonly<Record<string, string>>
}

/** The follow-ups of one channel. What its topics refuse is held, and a topic that refuses is not asked again for a while. */
export function createFollowUps({
  producer,
  hold,
  topics,
  tiers,
  clock,
  logger,
}: FollowUpOptions): FollowUps {
  const closed = new ClosedTopics({ clock, logger })

  function retry(
    record: ConsumedRecord,
    ref: AttemptRef,
    tier: string,
    dueAt: Date,
    reason: Reason | null,
  ): Promise<boolean> {
    const next = follow(record, topics.retries.find((candidate) => candidate.tier === tier)!.topic, {
      ...(reason !== null && { [header.reason]: reason }),
      [header.attempt]: String(ref.attempt + 1),
      [header.replayEpoch]: String(ref.replayEpoch),
      [header.due]: String(dueAt.getTime()),
    })
    return put(next, stateOf(ref, 'retrying'), (traced) => producer.produce([traced]))
  }

  async function deadLetter(record: ConsumedRecord, reason: Reason, ref?: AttemptRef): Promise<void> {
    const letter = follow(record, topics.deadLetters, { [header.reason]: reason })
    const held = ref
      ? stateOf(ref, 'dead_lettered')
      : { delivery: recordIdFor(originOf(record)), state: null }
    if (!(await put(letter, held, (traced) => produceDeadLetter(producer, traced))))
      logger.error({ topic: letter.topic, ...held }, 'A dead letter is too large even without its payload')
  }

  /**
   * Writes a record, or has it kept where its topic is missing, not ours to write, or without a leader: then it waits alone, and nothing of its
   * channel does. When nothing else is acknowledged either, the brokers are away, and whoever asked holds. False when it is too large.
   */
  async function put(
    record: FollowUp,
    held: Pick<RecordToHold, 'delivery' | 'state'>,
    produce: (record: FollowUp) => Promise<unknown>,
  ): Promise<boolean> {
    if (!closed.has(record.topic)) {
      const before = producer.acknowledged()
      try {
        await traced(record, produce)
        return true
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal === 'too_large') return false
        if (refusal === undefined || (refusal === 'away' && producer.acknowledged() === before)) throw error
        closed.add(record.topic, refusal, error as BrokerError)
      }
    }
    await hold({ ...record, ...held })
    return true
  }

  return {
    deadLetter,
    async write(record, ref, decision, dueAt) {
      if (decision.next === 'retry') return retry(record, ref, decision.tier, dueAt!, decision.reason)
      if (decision.next === 'dead_letter') await deadLetter(record, decision.reason, ref)
      return true
    },
    async repeat(record, ref, { status, reason, dueAt }) {
      if (status === 'dead_lettered') await deadLetter(record, reason ?? 'retries_exhausted', ref)
      if (status !== 'retrying' || dueAt === null || tiers.length === 0) return true
      // The shortest tier that covers what is left keeps the topic in order of what is due.
      const left = dueAt.getTime() - clock.now()
      const tier = tiers.find(({ milliseconds }) => milliseconds >= left) ?? tiers.at(-1)!
      return retry(record, ref, tier.tier, dueAt, reason)
    },
  }
}

function follow(record: ConsumedRecord, topic: string, headers: Record<string, string>): FollowUp {
  const { key, value } = record
  return { topic, key, value, headers: { ...record.headers, [header.origin]: originOf(record), ...headers } }
}

function originOf({ topic, partition, offset }: ConsumedRecord): string {
  return `${topic}/${partition}/${offset}`
}

function stateOf({ id, ...attempt }: AttemptRef, status: HeldState['status']) {
  return { delivery: id, state: { status, ...attempt } }
}

async function traced(record: FollowUp, produce: (record: FollowUp) => Promise<unknown>): Promise<void> {
  const id = record.headers['ce_id'] ?? record.headers[header.origin]!
  const sending = startSending(record.topic, context.active(), { id })
  try {
    await produce({ ...record, headers: replaceTrace(record.headers, sending.headers) })
    sending.end()
  } catch (error) {
    sending.end(failureName(error))
    throw error
  }
}
