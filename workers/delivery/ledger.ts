import { type Kysely, sql, type Transaction } from 'kysely'
import type { DeliveryEnvelope } from '../../core/notification/envelope.ts'
import type { FailureClass } from '../../core/notification/failure.ts'
import type { DeliveryStatus, Reason } from '../../core/notification/status.ts'
import { createBatcher } from '../../core/store/batcher.ts'
import { type Database, unknownBody } from '../../core/store/schema.ts'
import { isStoreUnavailable } from '../../core/store/store.ts'
import { claimBatch } from './claim.ts'
import { finishBatch } from './finish.ts'
import type { LedgerMetrics } from './ledger-metrics.ts'

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
   * Ends a delivery whose next attempt cannot be put off, because its record is too large for the retry topic: a dead letter, reason `too_large`. False
   * when it no longer waits for that attempt.
   */
  giveUp(ref: AttemptRef): Promise<boolean>
  /** Writes the row of a delivery that has a record and no row: the store lost it, as a failover may. */
  restore(envelope: DeliveryEnvelope): Promise<void>
}

/** Names one attempt at a delivery: what a record asks for. */
export interface AttemptRef {
  id: string
  replayEpoch: number
  attempt: number
}

export interface ClaimRequest extends AttemptRef {
  /** How long the claim holds: longer than everything that may happen under it. */
  leaseMilliseconds: number
}

export type ClaimResult =
  /**
   * `claim` counts the claims of this attempt: above 1, the one before ended without an outcome. `cancelled`: the delivery was
   * cancelled under that one.
   */
  | { kind: 'claimed'; claim: number; uncounted: number; cancelled?: true }
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

const maxBatch = 200

export interface LedgerOptions {
  db: Kysely<Database>
  /** Unique among all that ever ran. */
  workerId: string
  /** Not measured when absent. */
  metrics?: LedgerMetrics
}

export function openLedger({ db, workerId, metrics }: LedgerOptions): Ledger {
  async function measured<T>(operation: string, rows: number, flush: () => Promise<T>): Promise<T> {
    metrics?.batchRows.observe({ operation }, rows)
    const end = metrics?.flushSeconds.startTimer({ operation })
    const result = await flush()
    end?.()
    return result
  }

  return {
    claim: createBatcher({
      maxItems: maxBatch,
      flush: isolating((items: ClaimRequest[]) =>
        measured('claim', items.length, () => claimBatch(db, workerId, items)),
      ),
    }),
    finish: createBatcher({
      maxItems: maxBatch,
      flush: isolating((items: FinishEntry[]) =>
        measured('finish', items.length, () => finishBatch(db, workerId, items)),
      ),
    }),
    giveUp: (ref) => giveUp(db, ref),
    restore: (envelope) => restore(db, envelope),
  }
}

/** An entry that the database refuses must not take those with it that share its batch. */
function isolating<Item, Result>(flush: (items: Item[]) => Promise<Result[]>) {
  return async (items: Item[]): Promise<(Result | Promise<Result>)[]> => {
    try {
      return await flush(items)
    } catch (error) {
      if (items.length === 1 || isStoreUnavailable(error)) throw error
      const results = await Promise.allSettled(items.map((item) => flush([item])))
      return results.map((result) =>
        result.status === 'fulfilled' ? result.value[0]! : Promise.reject(result.reason as Error),
      )
    }
  }
}

async function giveUp(db: Kysely<Database>, { id, replayEpoch, attempt }: AttemptRef): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('deliveries')
    .set({ status: 'dead_lettered', reason: 'too_large', due_at: null, updated_at: sql`clock_timestamp()` })
    .where('id', '=', id)
    .where('replay_epoch', '=', replayEpoch)
    .where('attempt', '=', attempt)
    .where('status', '=', 'retrying')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** With its notification, by whose age it is forgotten one day. What the request's body was, its record does not say. */
async function restore(db: Kysely<Database>, envelope: DeliveryEnvelope): Promise<void> {
  const now = new Date()
  const { notification_id, tenant, template, category, metadata, accepted_at, expires_at } = envelope
  await db
    .insertInto('notifications')
    .values({
      id: notification_id,
      tenant,
      body_hash: unknownBody,
      template: template?.name ?? null,
      template_revision: template?.revision ?? null,
      category: category ?? null,
      metadata: JSON.stringify(metadata),
      traceparent: null,
      accepted_at,
      expires_at: expires_at ?? null,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  const userId = envelope.user?.['id']
  await db
    .insertInto('deliveries')
    .values({
      id: envelope.id,
      notification_id: envelope.notification_id,
      tenant: envelope.tenant,
      channel: envelope.channel,
      channel_type: envelope.channel_type,
      recipient: envelope.recipient,
      user_id: typeof userId === 'string' ? userId : null,
      status: 'queued',
      reason: null,
      owner: null,
      provider: null,
      provider_message_id: null,
      expires_at: envelope.expires_at ?? null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}
