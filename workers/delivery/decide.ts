import type { DeliveryStatus, Reason } from '../../core/notification/status.ts'
import type { Idempotency, NotSent, Outcome } from '../../core/providers/provider.ts'

/** What the channel says of retries, in milliseconds. */
export interface RetryPolicy {
  /** One delay per retry topic, rising; the last repeats. */
  tiers: readonly { tier: string; milliseconds: number }[]
  maxAttempts: number
  onUnknown: 'Retry' | 'Hold'
}

export interface AttemptState {
  attempt: number
  /** Attempts before this one that do not count against `maxAttempts`. */
  uncounted: number
  idempotency: Idempotency
}

/** What follows an outcome. `retry` and `dead_letter` need a record written after the ledger; the others end the delivery. */
export type Decision =
  | { next: 'end'; status: DeliveryStatus; reason: Reason | null }
  | { next: 'retry'; tier: string; milliseconds: number; reason: Reason | null; uncounted: boolean }
  | { next: 'dead_letter'; reason: Reason }

/**
 * Decides what follows an outcome. Pure. The classes and what follows each are those of the contract's table:
 * a refusal ends the delivery, a rate limit and refused credentials cost no attempt, and an unknown outcome is repeated unless the
 * channel says `Hold` and the vendor cannot tell a repeat.
 */
export function decide(outcome: Outcome, policy: RetryPolicy, state: AttemptState): Decision {
  switch (outcome.class) {
    case 'sent':
      return { next: 'end', status: outcome.simulated ? 'simulated' : 'sent', reason: null }
    case 'rejected':
      return { next: 'end', status: 'failed', reason: 'provider_rejected' }
    case 'poison':
      return { next: 'dead_letter', reason: 'poison' }
    case 'maybe_sent':
      if (policy.onUnknown === 'Hold' && state.idempotency === 'none') {
        return { next: 'end', status: 'unknown', reason: null }
      }
      return retry(outcome, policy, state)
    case 'not_sent':
    case 'rate_limited':
    case 'auth':
      return retry(outcome, policy, state)
  }
}

function retry(outcome: NotSent, policy: RetryPolicy, { attempt, uncounted }: AttemptState): Decision {
  const free = outcome.class === 'rate_limited' || outcome.class === 'auth'
  const counted = attempt - uncounted - (free ? 1 : 0)
  const last = policy.tiers.at(-1)
  if (last === undefined || counted >= policy.maxAttempts)
    return { next: 'dead_letter', reason: 'retries_exhausted' }
  const covering = policy.tiers.findIndex(({ milliseconds }) => milliseconds >= (outcome.retryAfter ?? 0))
  // Also what costs no attempt backs off: a wrong password every 30 s for three days locks accounts.
  const byAttempt = Math.min(attempt - 1, policy.tiers.length - 1)
  const tier = policy.tiers[covering < 0 ? policy.tiers.length - 1 : Math.max(covering, byAttempt)] ?? last
  return { next: 'retry', ...tier, reason: reasonOf(outcome), uncounted: free }
}

/** Only what is not the message's own fault needs a word; the attempt says the rest. */
function reasonOf({ class: failure }: NotSent): Reason | null {
  if (failure === 'auth') return 'provider_auth'
  return failure === 'rate_limited' ? 'throttled' : null
}
