import { type Kysely, sql } from 'kysely'
import { type Clock, systemClock, type Timers } from '../../../core/clock.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { RecordVerdict } from '../../../core/notification/status.ts'
import { createPace } from '../../../core/pace.ts'
import { createBatcher } from '../../../core/store/batcher.ts'
import { holdRecords, type RecordToHold } from '../../../core/store/held-records.ts'
import { type Database, unknownBody } from '../../../core/store/schema.ts'
import { isStoreUnavailable } from '../../../core/store/store.ts'
import { claimBatch } from './claim.ts'
import { finishBatch } from './finish.ts'
import type { LedgerMetrics } from './ledger-metrics.ts'
import {
  type AttemptRef,
  type ClaimRequest,
  type FinishEntry,
  type Ledger,
  outcomeInterval,
} from './ledger.ts'

const maxBatch = 200

export interface LedgerOptions {
  db: Kysely<Database>
  /** Unique among all that ever ran. */
  workerId: string
  /** Not measured when absent. */
  metrics?: LedgerMetrics
  clock?: Clock & Timers
}

/** The ledger in the table `deliveries`: claims and outcomes that come together go in one statement, 200 at the most. */
export function openLedger({ db, workerId, metrics, clock = systemClock }: LedgerOptions): Ledger {
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
      pace: createPace(outcomeInterval, clock),
      flush: isolating((items: FinishEntry[]) =>
        measured('finish', items.length, () => finishBatch(db, workerId, items)),
      ),
    }),
    hold: createBatcher({
      maxItems: maxBatch,
      flush: isolating((items: RecordToHold[]) =>
        measured('hold', items.length, async () => {
          await holdRecords(db, items)
          return items.map(() => undefined)
        }),
      ),
    }),
    giveUp: (ref, reason) => giveUp(db, ref, reason),
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

async function giveUp(
  db: Kysely<Database>,
  { id, replayEpoch, attempt }: AttemptRef,
  reason: RecordVerdict,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('deliveries')
    .set({ status: 'dead_lettered', reason, due_at: null, updated_at: sql`clock_timestamp()` })
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
