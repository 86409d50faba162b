import type { Transaction } from 'kysely'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { FailureClass } from '../../../core/notification/failure.ts'
import type { DeliveryStatus, Reason, RecordVerdict } from '../../../core/notification/status.ts'
import type { RecordToHold } from '../../../core/store/held-records.ts'
import type { Database } from '../../../core/store/schema.ts'

/**
 * The delivery ledger: who may send what, and what became of it. A claim comes before every call of a provider and is a compare-and-set on (replay
 * epoch, attempt), so of several records of one delivery only the newest sends. Claims and outcomes of concurrent deliveries
 * share round trips.
 */
export interface Ledger {
  claim(request: ClaimRequest): Promise<ClaimResult>
  /** Records an outcome. */
  finish(entry: FinishEntry): Promise<Finished>
  /**
   * Ends a delivery whose next attempt cannot be put off, because the retry topic will never take its record: a dead letter, with that reason. False
   * when it no longer waits for that attempt.
   */
  giveUp(ref: AttemptRef, reason: RecordVerdict): Promise<boolean>
  /** Keeps a retry or a dead letter that its topic does not take until it does. Does nothing when the delivery is no longer what the record says. */
  hold(record: RecordToHold): Promise<void>
  /** Writes the row of a delivery that has a record and no row: the store lost it, as a failover may. */
  restore(envelope: DeliveryEnvelope): Promise<void>
}

/** Names one attempt at a delivery: what a record asks for. */
export interface AttemptRef {
  id: string
  replayEpoch: number
  attempt: number
}

/**
 * Claims of one attempt without an outcome after which its record counts as one that kills its worker. The last of them is given only while nothing else
 * is under way in the worker: the first may have been lost to another delivery there, but this one was lost to itself.
 */
export const maxClaims = 3

/**
 * Milliseconds between the beginnings of two batches of outcomes, at the least. A batch costs PostgreSQL most of a millisecond of CPU whatever
 * is in it, which claims then wait for; and for an outcome only the next message to the same recipient waits.
 */
export const outcomeInterval = 5

export interface ClaimRequest extends AttemptRef {
  /** How long the claim holds: longer than everything that may happen under it. */
  leaseMilliseconds: number
  /** Whether nothing else is under way in this worker, and nothing begins before this is over. */
  alone?: boolean
}

export type ClaimResult =
  /**
   * `claim` counts the claims of this attempt: above 1, the one before ended without an outcome. `cancelled`: the delivery was
   * cancelled under that one.
   */
  | { kind: 'claimed'; claim: number; uncounted: number; cancelled?: true }
  /** Only one claim is left before it counts as poison: claim it again while nothing else is under way. */
  | { kind: 'only_alone' }
  /** Another worker holds it: look again after the wait. */
  | { kind: 'busy'; milliseconds: number }
  /** The outcome of this very attempt is recorded; what had to follow it may be missing. */
  | { kind: 'settled'; status: DeliveryStatus; reason: Reason | null; dueAt: Date | null }
  /** A newer attempt exists, or the delivery has ended. */
  | { kind: 'stale' }
  | { kind: 'missing' }

/** `lost`: the claim is no longer ours, another worker took it over after the lease had run out. `cancelled`: it was meanwhile, and is not tried again. */
export type Finished = 'recorded' | 'cancelled' | 'lost'

export interface FinishEntry extends AttemptRef {
  claim: number
  /** `queued` gives the claim back. */
  status: DeliveryStatus
  reason: Reason | null
  dueAt: Date | null
  /** Whether the attempt is left out of `maxAttempts`. */
  uncounted: boolean
  /** `null` when no provider was called. */
  outcome: 'sent' | FailureClass | null
  provider: string | null
  providerMessageId: string | null
  code: string | null
  detail: string | null
  /** Runs in the same transaction, only if the claim still holds. */
  commitWith: ((transaction: Transaction<Database>) => Promise<void>) | undefined
}
