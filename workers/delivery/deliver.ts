import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import type { DeliveryEnvelope } from '../../core/notification/envelope.ts'
import type { Message } from '../../core/notification/message.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Idempotency } from '../../core/providers/provider.ts'
import { isDataError } from '../../core/store/store.ts'
import { endInTime, expire } from './deadline.ts'
import { type CircuitVerdict, decide, mayHold, type RetryPolicy } from './decide.ts'
import type { DestinationPass } from './destinations.ts'
import type { RunResult } from './dispatcher.ts'
import type { FollowUps } from './follow-ups.ts'
import { type Judgement, recordable, statusOf, toEntry, unsent } from './judgement.ts'
import type { Permit } from './lane.ts'
import type { AttemptRef, ClaimResult, Ledger } from './ledger.ts'
import type { DeliveryMetrics } from './metrics.ts'
import type { createSend } from './send.ts'
import type { Tell } from './tell.ts'
import { traceStatus } from './trace-delivery.ts'
import type { Work } from './work.ts'

export interface DeliverOptions {
  ledger: Ledger
  followUps: FollowUps
  tell: Tell
  send: ReturnType<typeof createSend>
  /** Whether a first attempt is within the limit of its recipient, who is named without being told. */
  admitRecipient: (envelope: DeliveryEnvelope, recipient: string) => Promise<boolean>
  /** Leave to call the destination of a delivery, as far as it has one of its own. */
  enterDestination: (envelope: DeliveryEnvelope) => DestinationPass
  render: (envelope: DeliveryEnvelope) => Promise<Rendered>
  /** Whether the template is at hand. */
  canRender: (envelope: DeliveryEnvelope) => boolean
  /** Whether everything has been read that may bring it. */
  isCatalogCurrent: () => Promise<boolean>
  policy: RetryPolicy
  /** What a repeat after a lost outcome may mean: the weakest of the channel's providers. */
  idempotency: Idempotency
  /** How long a claim holds: beyond everything that may happen under it. */
  leaseMilliseconds: number
  /** Aborted when a drain has waited long enough for the store: what is not recorded by then is sent again by another worker. */
  giveUp: AbortSignal
  clock: Clock & Timers
  logger: Logger
  metrics: DeliveryMetrics
  /** Labels of the metrics. */
  channel: { namespace: string; channel: string }
}

export type Rendered =
  | { kind: 'ok'; message: Message }
  | { kind: 'invalid'; detail: string }
  /** Too much waits to be rendered. */
  | { kind: 'busy' }

/** Claims of one attempt without an outcome after which the record counts as one that kills its worker. */
const maxClaims = 3
/** Milliseconds a delivery waits when the ledger or the broker cannot be reached. */
const holdMilliseconds = 1_000
/** Milliseconds after acceptance within which a template that is gone may come back: one that is deleted and applied again. */
const templateGrace = 60_000

type DeliveryWork = Extract<Work, { kind: 'delivery' }>

/** What was to be tried again, and was cancelled while it was being sent. */
const cancelled = { next: 'end', status: 'cancelled', reason: null } as const

const heldBack = { class: 'not_sent', detail: 'the destination keeps failing, and is left alone' } as const

/** Leave to call a provider, and the destination that it leads to. */
interface Admitted {
  permit: Permit
  destination: DestinationPass
}

/**
 * Takes one delivery from its record to a recorded outcome and whatever must follow it. Every step may be repeated after a crash. The permit ends
 * with it; `free` is called when nothing more is asked of a provider.
 */
export function createDeliver(options: DeliverOptions) {
  const { ledger, followUps, tell, logger, metrics, clock, channel } = options

  return async function deliver(
    work: Exclude<Work, { kind: 'unknown_version' }>,
    permit: Permit,
    free: () => void,
  ): Promise<RunResult> {
    try {
      return work.kind === 'delivery'
        ? await enter(work, permit, free)
        : await setAside(work.record, work.detail)
    } catch (error) {
      // The ledger or the broker is out of reach. The record waits here unfinished, so it cannot be lost.
      logger.warn({ err: error }, 'Delivery held')
      return { kind: 'park', milliseconds: holdMilliseconds }
    } finally {
      permit.release()
    }
  }

  async function enter(work: DeliveryWork, permit: Permit, free: () => void): Promise<RunResult> {
    const destination = options.enterDestination(work.envelope)
    const { heldFor, outFor } = destination
    if (heldFor > 0 && mayHold({ openFor: heldFor, outFor })) return { kind: 'park', milliseconds: heldFor }
    try {
      return await attempt(work, { permit, destination }, free)
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

  async function attempt(work: DeliveryWork, admitted: Admitted, free: () => void): Promise<RunResult> {
    const { record, envelope, ref } = work
    if (await isEarly(envelope)) return { kind: 'park', milliseconds: holdMilliseconds }
    // Before the claim, whose lease covers the call and not a wait for others' templates.
    const rendered = await options.render(envelope)
    if (rendered.kind === 'busy') return { kind: 'park', milliseconds: holdMilliseconds }
    const claimedAt = clock.monotonic()
    const claim = await ledger.claim({ ...ref, leaseMilliseconds: options.leaseMilliseconds })
    if (claim.kind === 'busy') return { kind: 'park', milliseconds: claim.milliseconds }
    if (claim.kind === 'missing') {
      logger.error({ delivery: ref.id }, 'Delivery without a row; it is written again')
      await ledger.restore(envelope)
      return { kind: 'park', milliseconds: 0 }
    }
    if (claim.kind !== 'claimed') {
      metrics.duplicatesSuppressed.inc(channel)
      if (claim.kind === 'stale') return { kind: 'done' }
      await tell(envelope, { ...ref, ...claim })
      if (!(await followUps.repeat(record, ref, claim))) await giveUp(work)
      return { kind: 'done' }
    }
    const leaseEnd = claimedAt + options.leaseMilliseconds
    const judged = await judge(work, rendered, claim, leaseEnd, admitted)
    const decision = endInTime(judged.decision, judged.outcome, timeLeft(envelope))
    // While this is recorded, the provider has time for another. One that is to wait keeps its slot: so it counts as none that ended.
    if (decision.next !== 'release') free()
    const recorded = await finish(ref, claim.claim, { ...judged, decision })
    if (recorded === undefined) return { kind: 'park', milliseconds: 0 }
    const { judgement, dueAt } = recorded
    const { decision: next } = judgement
    count(envelope, ref, judgement)
    if (next.next === 'release') return { kind: 'park', milliseconds: next.milliseconds }
    const told = tell(envelope, { ...ref, status: statusOf(next), reason: next.reason })
    // Before the next attempt can begin: after that, and a crash, nobody would know any more what this one came to.
    if (next.next !== 'end') await told
    if (!(await followUps.write(record, ref, next, dueAt))) await giveUp(work)
    return { kind: 'done', told }
  }

  /** The record of the next attempt is too large for its topic, and would be at every try. */
  async function giveUp({ record, envelope, ref }: DeliveryWork): Promise<void> {
    logger.warn({ delivery: ref.id }, 'A delivery is too large for its retry topic')
    const reason = 'too_large'
    if (!(await ledger.giveUp(ref))) return
    metrics.deliveries.inc({ ...channel, provider: '', outcome: 'dead_letter' })
    await tell(envelope, { ...ref, status: 'dead_lettered', reason })
    await followUps.deadLetter(record, reason)
  }

  async function judge(
    { record, envelope, ref }: DeliveryWork,
    rendered: Exclude<Rendered, { kind: 'busy' }>,
    { claim, uncounted, cancelled: isCancelled }: Extract<ClaimResult, { kind: 'claimed' }>,
    leaseEnd: number,
    admitted: Admitted,
  ): Promise<Judgement> {
    const unknown = { next: 'end', status: 'unknown', reason: null } as const
    // Trying again is what the cancellation forbids; that the message did not leave before, nobody can say.
    if (isCancelled) return unsent(unknown, 'cancelled while a claim was lost')
    if (claim > maxClaims)
      return unsent({ next: 'dead_letter', reason: 'poison' }, `${maxClaims} claims without an outcome`)
    if (claim > 1 && options.policy.onUnknown === 'Hold' && options.idempotency === 'none')
      return unsent(unknown, 'an earlier claim ended without an outcome')
    if (timeLeft(envelope) <= 0) return unsent(expire(claim > 1))
    if (rendered.kind === 'invalid') {
      return unsent({ next: 'end', status: 'failed', reason: 'template_invalid' }, rendered.detail)
    }
    // What was admitted once is not refused later: a retry, or a replay that somebody asked for.
    const first = ref.attempt === 1 && ref.replayEpoch === 0
    if (first && !(await options.admitRecipient(envelope, record.key ?? ref.id))) {
      metrics.limits.throttled.inc({ ...channel, by: 'recipient' })
      return unsent({ next: 'end', status: 'skipped', reason: 'throttled' }, 'the limit of the recipient')
    }
    const state = { attempt: ref.attempt, uncounted, idempotency: options.idempotency }
    const { heldFor, outFor } = admitted.destination
    if (heldFor > 0) {
      metrics.limits.throttled.inc({ ...channel, by: 'destination' })
      const circuit: CircuitVerdict = { blame: 'outage', openFor: heldFor, outFor, of: 'destination' }
      return unsent(decide(heldBack, options.policy, { ...state, circuit }), heldBack.detail)
    }
    const result = await options.send(rendered.message, envelope, ref.attempt, leaseEnd, admitted)
    const { outcome, provider, verdict: circuit } = result
    // Nobody was asked: the same attempt is made again.
    if (circuit === undefined)
      return unsent({ next: 'release', milliseconds: holdMilliseconds, reason: null }, outcome.detail)
    const { idempotency } = provider
    if (outcome.class === 'rate_limited') metrics.limits.throttled.inc({ ...channel, by: 'provider' })
    return {
      decision: decide(outcome, options.policy, { ...state, idempotency, circuit }),
      outcome,
      provider: provider.name,
      detail: outcome.class === 'sent' ? null : outcome.detail,
    }
  }

  /** Whether the template of a delivery may still come: our catalog may be behind that of the API which named the revision. */
  async function isEarly(envelope: DeliveryEnvelope): Promise<boolean> {
    if (options.canRender(envelope) || timeLeft(envelope) <= 0) return false
    if (clock.now() - Date.parse(envelope.accepted_at) < templateGrace) return true
    return !(await options.isCatalogCurrent())
  }

  /** Milliseconds until the delivery expires. */
  function timeLeft({ expires_at: at }: DeliveryEnvelope): number {
    return at === undefined ? Infinity : Date.parse(at) - clock.now()
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
