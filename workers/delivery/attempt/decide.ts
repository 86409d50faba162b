import type { DeliveryStatus, Reason } from '../../../core/notification/status.ts'
import type { Idempotency, NotSent, Outcome } from '../../../core/providers/provider.ts'
import type { Settlement } from '../back-pressure/circuit.ts'

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
  /** Of whoever is to blame for the outcome; `undefined` when nobody was asked. */
  circuit: CircuitVerdict | undefined
}

export interface CircuitVerdict extends Settlement {
  of: 'provider' | 'destination' | 'template'
}

/** What follows an outcome. `retry` and `dead_letter` need a record written after the ledger; `end` ends the delivery. */
export type Decision =
  /** The claim is given back: the very same attempt is made again after a wait, before anything else of its key. */
  | { next: 'release'; milliseconds: number; reason: Reason | null }
  | { next: 'end'; status: DeliveryStatus; reason: Reason | null }
  | { next: 'retry'; tier: string; milliseconds: number; reason: Reason | null; uncounted: boolean }
  | { next: 'dead_letter'; reason: Reason }

/**
 * Decides what follows an outcome. Pure. The classes and what follows each are those of the contract's table:
 * a refusal ends the delivery, a rate limit and refused credentials cost no attempt, and an unknown outcome is repeated unless the
 * channel says `Hold` and the vendor cannot tell a repeat. What an outage is to blame for costs no attempt either.
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
      return release(outcome, state) ?? retry(outcome, policy, state)
  }
}

/** Longest single wait, in milliseconds, for which a record is held instead of being put off. */
const shortWait = 5_000
/** Milliseconds of an outage of one destination after which its records are held no more: others would wait behind them. */
const shortOutage = 10_000
/** Milliseconds after which a delivery asks again whether its channel sends. */
const askAgain = 1_000

/** Gives the claim back where waiting is all there is to do, and short or shared with the whole channel. */
function release(outcome: NotSent, { circuit }: AttemptState): Decision | undefined {
  const reason = reasonOf(outcome)
  const outFor = circuit?.of === 'destination' ? circuit.outFor : 0
  if (outcome.class === 'rate_limited') {
    const { retryAfter } = outcome
    // A wait of nothing opens no circuit: it would be asked for without end.
    if (!retryAfter || !mayHold({ openFor: retryAfter, outFor })) return undefined
    return { next: 'release', milliseconds: Math.max(retryAfter, askAgain), reason }
  }
  if (circuit === undefined || !isOutage(outcome, circuit)) return undefined
  // Nothing starts while the circuit of a provider is open, and then another one may be first.
  if (circuit.of === 'provider') return { next: 'release', milliseconds: askAgain, reason }
  if (!mayHold(circuit)) return undefined
  return { next: 'release', milliseconds: Math.max(circuit.openFor, askAgain), reason }
}

/** Whether a record may be held for so many milliseconds for the sake of something that has been out for so many. */
export function mayHold({ openFor, outFor }: Pick<Settlement, 'openFor' | 'outFor'>): boolean {
  return openFor <= shortWait && outFor < shortOutage
}

function isOutage(outcome: NotSent, { blame, openFor, of }: CircuitVerdict): boolean {
  return blame === 'outage' || (outcome.class === 'auth' && of === 'provider' && openFor > 0)
}

function retry(outcome: NotSent, policy: RetryPolicy, state: AttemptState): Decision {
  const { attempt, uncounted, circuit } = state
  const free = outcome.class === 'rate_limited' || outcome.class === 'auth' || circuit?.blame === 'outage'
  const counted = attempt - uncounted - (free ? 1 : 0)
  const last = policy.tiers.at(-1)
  if (last === undefined || counted >= policy.maxAttempts)
    return { next: 'dead_letter', reason: 'retries_exhausted' }
  // While that of a provider is open nothing starts.
  const openFor = circuit === undefined || circuit.of === 'provider' ? 0 : circuit.openFor
  const wait = Math.max(outcome.retryAfter ?? 0, openFor)
  const covering = policy.tiers.findIndex(({ milliseconds }) => milliseconds >= wait)
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
