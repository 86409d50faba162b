import { context } from '@opentelemetry/api'
import type { ConsumedRecord, RecordToProduce } from '../../../core/broker/broker.ts'
import type { Clock } from '../../../core/clock.ts'
import { header } from '../../../core/notification/envelope.ts'
import { recordIdFor } from '../../../core/notification/ids.ts'
import type { Reason, RecordVerdict } from '../../../core/notification/status.ts'
import type { ChannelTopics } from '../../../core/notification/topics.ts'
import { startSending } from '../../../core/observability/messaging-spans.ts'
import { failureName, replaceTrace } from '../../../core/observability/tracing.ts'
import type { HeldState } from '../../../core/store/held-records.ts'
import { logLostLetter, produceDeadLetter } from '../../dead-letter.ts'
import { createWriteOrHold, type WriteOrHoldOptions } from '../../write-or-hold.ts'
import type { AttemptRef, ClaimResult } from '../ledger/ledger.ts'
import type { Decision } from './decide.ts'

/**
 * Records that must follow an outcome: the next attempt on a retry topic, or the dead letter. They are written after the ledger, and a
 * record is done only when they are acknowledged, or kept until their topic takes them; a crash in between is mended by `repeat` when the
 * record is read again.
 */
export interface FollowUps {
  /** Answers why the next attempt cannot be put off, when its topic will never take its record. */
  write(
    record: ConsumedRecord,
    ref: AttemptRef,
    decision: Decision,
    dueAt: Date | null,
  ): Promise<RecordVerdict | undefined>
  /** The same for an outcome that was recorded before. */
  repeat(
    record: ConsumedRecord,
    ref: AttemptRef,
    claim: Extract<ClaimResult, { kind: 'settled' }>,
  ): Promise<RecordVerdict | undefined>
  /** @param ref absent for a record that nobody can read */
  deadLetter(record: ConsumedRecord, reason: Reason, ref?: AttemptRef): Promise<void>
}

export interface FollowUpOptions extends WriteOrHoldOptions {
  topics: ChannelTopics
  /** In the order of `topics.retries`. */
  tiers: readonly { tier: string; milliseconds: number }[]
  clock: Clock
}

interface FollowUp extends RecordToProduce {
  headers: Readonly<Record<string, string>>
}

/** The follow-ups of one channel. What its topics do not take yet is held, and nothing else of the channel is. */
export function createFollowUps({ topics, tiers, ...options }: FollowUpOptions): FollowUps {
  const { clock, logger } = options
  const writeOrHold = createWriteOrHold(options)

  function retry(
    record: ConsumedRecord,
    ref: AttemptRef,
    tier: string,
    dueAt: Date,
    reason: Reason | null,
  ): Promise<RecordVerdict | undefined> {
    const next = follow(record, topics.retries.find((candidate) => candidate.tier === tier)!.topic, {
      ...(reason !== null && { [header.reason]: reason }),
      [header.attempt]: String(ref.attempt + 1),
      [header.replayEpoch]: String(ref.replayEpoch),
      [header.due]: String(dueAt.getTime()),
    })
    return writeOrHold(next, stateOf(ref, 'retrying'), (producer, one) =>
      traced(one, (withTrace) => producer.produce([withTrace])),
    )
  }

  async function deadLetter(record: ConsumedRecord, reason: Reason, ref?: AttemptRef): Promise<void> {
    const letter = follow(record, topics.deadLetters, { [header.reason]: reason })
    const held = ref
      ? stateOf(ref, 'dead_lettered')
      : { delivery: recordIdFor(originOf(record)), state: null }
    const verdict = await writeOrHold(letter, held, (producer, one) =>
      traced(one, (withTrace) => produceDeadLetter(producer, withTrace)),
    )
    if (verdict !== undefined) logLostLetter(logger, letter, verdict)
  }

  return {
    deadLetter,
    async write(record, ref, decision, dueAt) {
      if (decision.next === 'retry') return retry(record, ref, decision.tier, dueAt!, decision.reason)
      if (decision.next === 'dead_letter') await deadLetter(record, decision.reason, ref)
      return undefined
    },
    async repeat(record, ref, { status, reason, dueAt }) {
      if (status === 'dead_lettered') await deadLetter(record, reason ?? 'retries_exhausted', ref)
      if (status !== 'retrying' || dueAt === null || tiers.length === 0) return undefined
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
