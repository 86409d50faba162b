import type { Migration } from 'kysely/migration'
import { initial } from './migrations/0001-initial.ts'
import { embeddedBroker } from './migrations/0002-embedded-broker.ts'
import { deadlines } from './migrations/0003-deadlines.ts'
import { replays } from './migrations/0004-replays.ts'
import { untoldChanges } from './migrations/0005-untold-changes.ts'
import { heldRecords } from './migrations/0006-held-records.ts'
import { heldByDelivery } from './migrations/0007-held-by-delivery.ts'
import { heldFollowUps } from './migrations/0008-held-follow-ups.ts'

/** Every migration in the order in which they run. A released one never changes. */
export const migrations: Record<string, Migration> = {
  '0001-initial': initial,
  '0002-embedded-broker': embeddedBroker,
  '0003-deadlines': deadlines,
  '0004-replays': replays,
  '0005-untold-changes': untoldChanges,
  '0006-held-records': heldRecords,
  '0007-held-by-delivery': heldByDelivery,
  '0008-held-follow-ups': heldFollowUps,
}
