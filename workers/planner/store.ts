import type { Kysely } from 'kysely'
import type { UserProfile } from '../../core/notification/user-profile.ts'
import { applyCancellations } from '../../core/store/cancellations.ts'
import {
  failRefused,
  holdRecords,
  type RecordToHold,
  type RefusedDelivery,
} from '../../core/store/held-records.ts'
import { type HeldStore, openHeldStore } from '../../core/store/held-store.ts'
import type { Database } from '../../core/store/schema.ts'
import { getUsers } from '../../core/store/users.ts'
import { type PlannedRequest, recordRequests } from './record.ts'

/** What planning reads and writes of the store. */
export interface PlannerStore {
  /** The profiles of those of a tenant's users that exist. */
  users(tenant: string, ids: readonly string[]): Promise<Map<string, UserProfile>>
  /** Records requests and their deliveries; answers those to be sent. See {@link recordRequests}. */
  record(planned: readonly PlannedRequest[]): Promise<PlannedRequest[]>
  /** Keeps records that their topic does not take yet. See {@link holdRecords}. */
  hold(records: readonly RecordToHold[]): Promise<void>
  /** What waits for its topic. */
  held: HeldStore
  /** Ends recorded deliveries whose first record their topic will never take. */
  failRefused(refused: readonly RefusedDelivery[]): Promise<void>
}

/** The planner's store in PostgreSQL. */
export function openPlannerStore(db: Kysely<Database>): PlannerStore {
  return {
    users: (tenant, ids) => getUsers(db, tenant, ids),
    async record(planned) {
      const accepted = await recordRequests(db, planned)
      // Only now: a cancellation that came while these were being recorded has not seen them.
      const cancelled = await applyCancellations(
        db,
        accepted.map(({ request }) => request.id),
      )
      return accepted.filter(({ request }) => !cancelled.has(request.id))
    },
    hold: (records) => holdRecords(db, records),
    held: openHeldStore(db),
    failRefused: (refused) => failRefused(db, refused),
  }
}
