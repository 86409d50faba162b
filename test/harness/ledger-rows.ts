import type { Insertable } from 'kysely'
import type { Database } from '../../core/store/schema.ts'
import type { FinishEntry } from '../../workers/delivery/ledger/ledger.ts'

/** A row of `deliveries` as the planner writes it: queued, never claimed. Its notification has the same id. */
export function queuedDelivery(id: string): Insertable<Database['deliveries']> {
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
