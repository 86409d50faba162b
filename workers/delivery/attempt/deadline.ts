import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import type { Decision } from './decide.ts'

/**
 * What follows an outcome when so many milliseconds are left of the delivery's time: a retry that would come due too late ends it now. Pure. When nobody
 * knows whether the message left, the end is `unknown`.
 */
export function endInTime(decision: Decision, outcome: Outcome | null, left: number): Decision {
  if (decision.next !== 'retry' || decision.milliseconds < left) return decision
  return expire(outcome?.class === 'maybe_sent')
}

/** The end of a delivery whose time is over. */
export function expire(maybeSent: boolean): Decision {
  return { next: 'end', status: maybeSent ? 'unknown' : 'expired', reason: 'expired' }
}

/** Milliseconds until a delivery expires. @param now milliseconds since the epoch */
export function timeLeft({ expires_at: at }: Pick<DeliveryEnvelope, 'expires_at'>, now: number): number {
  return at === undefined ? Infinity : Date.parse(at) - now
}
