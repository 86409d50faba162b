import type { ConsumedRecord } from '../../../core/broker/broker.ts'
import { type Clock, sleep, type Timers } from '../../../core/clock.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { RecordVerdict } from '../../../core/notification/status.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import { isDataError } from '../../../core/store/store.ts'
import type { RunResult } from '../dispatcher.ts'
import type { AttemptRef, Ledger } from '../ledger/ledger.ts'
import { traceStatus } from '../trace-delivery.ts'
import { endInTime, timeLeft } from './deadline.ts'
import { mayHold } from './decide.ts'
import type { FollowUps } from './follow-ups.ts'
import { createJudge, type DeliveryWork, type JudgeOptions, type Way } from './judge.ts'
import { type Judgement, recordable, statusOf, toEntry } from './judgement.ts'
import type { Rendered } from './render.ts'
import type { Tell } from './tell.ts'
import type { Work } from './work.ts'

export interface DeliverOptions extends Omit<JudgeOptions, 'clock'> {
  ledger: Ledger
  followUps: FollowUps
  tell: Tell
  render: (envelope: DeliveryEnvelope) => Promise<Rendered>
  /** Whether the template is at hand. */
  canRender: (envelope: DeliveryEnvelope) => boolean
  /** Whether everything has been read that may bring it. */
  isCatalogCurrent: () => Promise<boolean>
  /** How long a claim holds: beyond everything that may happen under it. */
  leaseMilliseconds: number
  /** Aborted when a drain has waited long enough for the store: what is not recorded by then is sent again by another worker. */
  giveUp: AbortSignal
  clock: Clock & Timers
  logger: Logger
}

/** Milliseconds a delivery waits when the ledger or the broker cannot be reached, and at the most between looks at a claim of another worker. */
const holdMilliseconds = 1_000
/** Milliseconds after acceptance within which a template that is gone may come back: one that is deleted and applied again. */
const templateGrace = 60_000

/** What was to be tried again, and was cancelled while it was being sent. */
const cancelled = { next: 'end', status: 'cancelled', reason: null } as const

/**
 * Takes one delivery from its record to a recorded outcome and whatever must follow it. Every step may be repeated after a crash. The place is
 * entered with a claim, and freed when nothing more is asked of a provider. `alone` says that nothing else is under way in this worker.
 */
export function createDeliver(options: DeliverOptions) {
  const { ledger, followUps, tell, logger, metrics, clock, channel } = options
  const judge = createJudge(options)

  return async function deliver(
    work: Exclude<Work, { kind: 'unknown_version' }>,
    place: Way['place'],
    alone: boolean,
  ): Promise<RunResult> {
    try {
      return work.kind === 'delivery'
        ? await enter(work, place, alone)
        : await setAside(work.record, work.detail)
    } catch (error) {
      // The ledger or the broker is out of reach. The record waits here unfinished, so it cannot be lost.
      logger.warn({ err: error }, 'Delivery held')
      return { kind: 'park', milliseconds: holdMilliseconds }
    }
  }

  async function enter(work: DeliveryWork, place: Way['place'], alone: boolean): Promise<RunResult> {
    const destination = options.enterDestination(work.envelope)
    const { heldFor, outFor } = destination
    if (heldFor > 0 && mayHold({ openFor: heldFor, outFor })) return { kind: 'park', milliseconds: heldFor }
    try {
      return await attempt(work, { place, destination }, alone)
    } finally {
      destination.release()
    }
  }

  async function setAside(record: ConsumedRecord, detail: string): Promise<RunResult> {
    logger.warn({ topic: record.topic, offset: record.offset, detail }, 'Poison record')
    await followUps.deadLetter(record, 'poison')
    metrics.deliveries.inc({ ...channel, provider: '', outcome: 'poison' })
    return { kind: 'done' }
  }

  async function attempt(work: DeliveryWork, way: Way, alone: boolean): Promise<RunResult> {
    const { record, envelope, ref } = work
    if (await isEarly(envelope)) return { kind: 'park', milliseconds: holdMilliseconds }
    // Before the claim, whose lease covers the call and not a wait for others' templates.
    const rendered = await options.render(envelope)
    if (rendered.kind === 'busy') return { kind: 'park', milliseconds: holdMilliseconds }
    const claimedAt = clock.monotonic()
    const claim = await ledger.claim({ ...ref, leaseMilliseconds: options.leaseMilliseconds, alone })
    if (claim.kind === 'only_alone') return { kind: 'alone' }
    // A worker that lost the partition may record its outcome, or give the claim back, long before its lease ends.
    if (claim.kind === 'busy')
      return { kind: 'park', milliseconds: Math.min(claim.milliseconds, holdMilliseconds) }
    if (claim.kind === 'missing') {
      logger.error({ delivery: ref.id }, 'Delivery without a row; it is written again')
      await ledger.restore(envelope)
      return { kind: 'park', milliseconds: 0 }
    }
    if (claim.kind !== 'claimed') {
      metrics.duplicatesSuppressed.inc(channel)
      if (claim.kind === 'stale') return { kind: 'done' }
      await tell(envelope, { ...ref, ...claim })
      const verdict = await followUps.repeat(record, ref, claim)
      if (verdict !== undefined) await giveUp(work, verdict)
      return { kind: 'done' }
    }
    const leaseEnd = claimedAt + options.leaseMilliseconds
    const judged = await judge(work, rendered, claim, leaseEnd, way)
    const decision = endInTime(judged.decision, judged.outcome, timeLeft(envelope, clock.now()))
    // While this is recorded, the provider has time for another. One that is to wait keeps its slot: so it counts as none that ended.
    if (decision.next !== 'release') way.place.free()
    const recorded = await finish(ref, claim.claim, { ...judged, decision })
    if (recorded === undefined) return { kind: 'park', milliseconds: 0 }
    const { judgement, dueAt } = recorded
    const { decision: next } = judgement
    count(envelope, ref, judgement)
    if (next.next === 'release') return { kind: 'park', milliseconds: next.milliseconds }
    const told = tell(envelope, { ...ref, status: statusOf(next), reason: next.reason })
    // Before the next attempt can begin: after that, and a crash, nobody would know any more what this one came to.
    if (next.next !== 'end') await told
    const verdict = await followUps.write(record, ref, next, dueAt)
    if (verdict !== undefined) await giveUp(work, verdict)
    return { kind: 'done', told }
  }

  /** The record of the next attempt is refused by its topic, and would be at every try. */
  async function giveUp({ record, envelope, ref }: DeliveryWork, reason: RecordVerdict): Promise<void> {
    logger.warn({ delivery: ref.id, reason }, 'A retry topic will never take the record of a delivery')
    if (!(await ledger.giveUp(ref, reason))) return
    metrics.deliveries.inc({ ...channel, provider: '', outcome: 'dead_letter' })
    await tell(envelope, { ...ref, status: 'dead_lettered', reason })
    await followUps.deadLetter(record, reason, ref)
  }

  /** Whether the template of a delivery may still come: our catalog may be behind that of the API which named the revision. */
  async function isEarly(envelope: DeliveryEnvelope): Promise<boolean> {
    if (options.canRender(envelope) || timeLeft(envelope, clock.now()) <= 0) return false
    if (clock.now() - Date.parse(envelope.accepted_at) < templateGrace) return true
    return !(await options.isCatalogCurrent())
  }

  /**
   * Records the outcome; `undefined` when the claim is no longer ours. An outcome that is not recorded would be sent again, so this goes on
   * while the store is away, until the drain has no more time for it. A message that the store refuses to hold is poison.
   */
  async function finish(
    ref: AttemptRef,
    claim: number,
    judgement: Judgement,
  ): Promise<{ judgement: Judgement; dueAt: Date | null } | undefined> {
    const entry = toEntry(ref, claim, judgement, clock.now())
    while (!options.giveUp.aborted) {
      try {
        const finished = await ledger.finish(entry)
        if (finished === 'cancelled') return { judgement: { ...judgement, decision: cancelled }, dueAt: null }
        return finished === 'recorded' ? { judgement, dueAt: entry.dueAt } : undefined
      } catch (error) {
        logger.warn({ err: error }, 'Outcome not recorded')
        if (isDataError(error)) return finish(ref, claim, recordable(judgement))
        await sleep(clock, holdMilliseconds, options.giveUp)
      }
    }
    return undefined
  }

  function count(
    envelope: DeliveryEnvelope,
    { attempt }: AttemptRef,
    { decision, outcome, provider }: Judgement,
  ): void {
    const status = decision.next === 'end' ? decision.status : decision.next
    metrics.deliveries.inc({ ...channel, provider: provider ?? '', outcome: status })
    if (decision.next === 'end' || decision.next === 'dead_letter') metrics.attempts.observe(channel, attempt)
    traceStatus(status, outcome?.class === 'sent' ? undefined : (outcome?.class ?? status))
    if (outcome?.class === 'sent') {
      metrics.latency.observe(channel, (clock.now() - Date.parse(envelope.accepted_at)) / 1000)
    }
  }
}
