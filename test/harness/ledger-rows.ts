import type { Insertable, Kysely } from 'kysely'
import type { Database } from '../../core/store/schema.ts'
import type { FinishEntry } from '../../workers/delivery/ledger/ledger.ts'

/** The id of the delivery with a number, up to 12 digits, and of what belongs to it. */
export function numberedId(number: number): string {
  return `00000000-0000-8000-8000-${String(number).padStart(12, '0')}`
}

type DeliveryRow = Insertable<Database['deliveries']>

/** A row of `deliveries` as the planner writes it, unless the change says otherwise: queued, never claimed. Its notification has the same id. */
export function queuedDelivery(id: string, change: Partial<DeliveryRow> = {}): DeliveryRow {
  const now = new Date()
  return {
    id,
    notification_id: id,
    tenant: 'shop',
    channel: 'email',
    channel_type: 'email',
    recipient: 'user:ada',
    status: 'queued',
    created_at: now,
    updated_at: now,
    ...change,
  }
}

/** What ends the first claim of the first attempt: it was sent, unless the change says otherwise. */
export function finishEntry(id: string, change: Partial<FinishEntry> = {}): FinishEntry {
  return {
    id,
    attempt: 1,
    replayEpoch: 0,
    claim: 1,
    status: 'sent',
    reason: null,
    dueAt: null,
    uncounted: false,
    outcome: 'sent',
    provider: 'primary',
    providerMessageId: null,
    code: null,
    detail: null,
    commitWith: undefined,
    ...change,
  }
}

/** The topic that the record kept for a delivery waits for, and what the delivery was then. */
export function heldRow(db: Kysely<Database>, id: string) {
  return db
    .selectFrom('held_records')
    .select(['topic', 'status'])
    .where('delivery_id', '=', id)
    .executeTakeFirst()
}
