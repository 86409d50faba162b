import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Also retries and dead letters wait for their topic. Each names what its delivery is meanwhile; without a status it belongs to none. */
export const heldFollowUps: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      ALTER TABLE held_records
        ADD COLUMN status       text DEFAULT 'queued',
        ADD COLUMN replay_epoch integer NOT NULL DEFAULT 0,
        ADD COLUMN attempt      integer NOT NULL DEFAULT 0,
        ALTER COLUMN value DROP NOT NULL,
        DROP COLUMN expires_at`.execute(db)
  },
}
