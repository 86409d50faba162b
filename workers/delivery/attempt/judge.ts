import type { Clock } from '../../../core/clock.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { Idempotency } from '../../../core/providers/provider.ts'
import type { DestinationPass } from '../back-pressure/destinations.ts'
import type { Place } from '../back-pressure/slots.ts'
import { type ClaimResult, maxClaims } from '../ledger/ledger.ts'
import type { DeliveryMetrics } from '../metrics.ts'
import { expire, timeLeft } from './deadline.ts'
import { type CircuitVerdict, decide, type RetryPolicy } from './decide.ts'
import { type Judgement, unsent } from './judgement.ts'
import type { Rendered } from './render.ts'
import type { createSend } from './send.ts'
import type { Work } from './work.ts'

export interface JudgeOptions {
  send: ReturnType<typeof createSend>
  /** Whether a first attempt is within the limit of its recipient, who is named without being told. */
  admitRecipient: (envelope: DeliveryEnvelope, recipient: string) => Promise<boolean>
  /** Leave to call the destination of a delivery, as far as it has one of its own. */
  enterDestination: (envelope: DeliveryEnvelope) => DestinationPass
  policy: RetryPolicy
  /** What a repeat after a lost outcome may mean: the weakest of the channel's providers. */
  idempotency: Idempotency
  clock: Clock
  metrics: DeliveryMetrics
  /** Labels of the metrics. */
  channel: { namespace: string; channel: string }
}

export type DeliveryWork = Extract<Work, { kind: 'delivery' }>
type Claimed = Extract<ClaimResult, { kind: 'claimed' }>

/** What a delivery has of the slots, and of the destination that it goes to. */
export interface Way {
  place: Pick<Place, 'enter' | 'free'>
  destination: DestinationPass
}

/** Milliseconds until an attempt is made again whose lease would not have covered the call. */
const leaseRetry = 1_000

const heldBack = { class: 'not_sent', detail: 'the destination keeps failing, and is left alone' } as const
const notTried = {
  class: 'not_sent',
  detail: 'the template exceeds its limits again and again, and is not tried for now',
} as const

/** Takes a claimed attempt to what it comes to: what ends it unsent, or what the provider said once there was a slot to call it from. */
export function createJudge(options: JudgeOptions) {
  const { clock, metrics, channel } = options

  return async function judge(
    work: DeliveryWork,
    rendered: Exclude<Rendered, { kind: 'busy' }>,
    claim: Claimed,
    leaseEnd: number,
    way: Way,
  ): Promise<Judgement> {
    const { record, envelope, ref } = work
    const refusal = refuse(envelope, claim)
    if (refusal !== undefined) return refusal
    if (rendered.kind === 'invalid') {
      return unsent({ next: 'end', status: 'failed', reason: 'template_invalid' }, rendered.detail)
    }
    // What was admitted once is not refused later: a retry, or a replay that somebody asked for.
    const first = ref.attempt === 1 && ref.replayEpoch === 0
    if (first && !(await options.admitRecipient(envelope, record.key ?? ref.id))) {
      metrics.limits.throttled.inc({ ...channel, by: 'recipient' })
      return unsent({ next: 'end', status: 'skipped', reason: 'throttled' }, 'the limit of the recipient')
    }
    if (rendered.kind === 'later') return putOff(ref.attempt, claim, rendered.milliseconds)
    return call(work, rendered.message, claim, leaseEnd, way)
  }

  /** Until the template is tried again. Not in place, where its recipient's other messages would wait for as long. */
  function putOff(attempt: number, { uncounted }: Claimed, openFor: number): Judgement {
    metrics.limits.throttled.inc({ ...channel, by: 'template' })
    const circuit: CircuitVerdict = { blame: 'outage', openFor, outFor: Infinity, of: 'template' }
    const state = { attempt, uncounted, idempotency: options.idempotency, circuit }
    return unsent(decide(notTried, options.policy, state), notTried.detail)
  }

  /** What ends an attempt by its claim, or its time. */
  function refuse(
    envelope: DeliveryEnvelope,
    { claim, cancelled: isCancelled }: Claimed,
  ): Judgement | undefined {
    const unknown = { next: 'end', status: 'unknown', reason: null } as const
    // Trying again is what the cancellation forbids; that the message did not leave before, nobody can say.
    if (isCancelled) return unsent(unknown, 'cancelled while a claim was lost')
    if (claim > maxClaims)
      return unsent({ next: 'dead_letter', reason: 'poison' }, `${maxClaims} claims without an outcome`)
    if (claim > 1 && options.policy.onUnknown === 'Hold' && options.idempotency === 'none')
      return unsent(unknown, 'an earlier claim ended without an outcome')
    return timeLeft(envelope, clock.now()) > 0 ? undefined : unsent(expire(claim > 1))
  }

  async function call(
    { envelope, ref }: DeliveryWork,
    message: Extract<Rendered, { kind: 'ok' }>['message'],
    { claim, uncounted }: Claimed,
    leaseEnd: number,
    { place, ...way }: Way,
  ): Promise<Judgement> {
    const permit = await place.enter()
    if (permit === undefined) return unsent({ next: 'release', milliseconds: 0, reason: null }, 'no slot')
    // The wait for a slot was a wait: what was looked at before the claim is looked at again.
    if (timeLeft(envelope, clock.now()) <= 0) return unsent(expire(claim > 1))
    way.destination.release()
    const destination = options.enterDestination(envelope)
    try {
      const state = { attempt: ref.attempt, uncounted, idempotency: options.idempotency }
      const { heldFor, outFor } = destination
      if (heldFor > 0) {
        metrics.limits.throttled.inc({ ...channel, by: 'destination' })
        const circuit: CircuitVerdict = { blame: 'outage', openFor: heldFor, outFor, of: 'destination' }
        return unsent(decide(heldBack, options.policy, { ...state, circuit }), heldBack.detail)
      }
      const admitted = { permit, destination }
      const result = await options.send(message, envelope, ref.attempt, leaseEnd, admitted)
      const { outcome, provider, verdict: circuit } = result
      // Nobody was asked: the same attempt is made again.
      if (circuit === undefined)
        return unsent({ next: 'release', milliseconds: leaseRetry, reason: null }, outcome.detail)
      const { idempotency } = provider
      if (outcome.class === 'rate_limited') metrics.limits.throttled.inc({ ...channel, by: 'provider' })
      return {
        decision: decide(outcome, options.policy, { ...state, idempotency, circuit }),
        outcome,
        provider: provider.name,
        detail: outcome.class === 'sent' ? null : outcome.detail,
      }
    } finally {
      destination.release()
    }
  }
}
