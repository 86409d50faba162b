import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/**
 * What the sweeper and a cancellation need. The index is on columns that never change after the insert, and has no predicate: one on
 * `status` would take every claim and every outcome off the cheap path of an update (HOT). So the sweeper remembers how far it has been
 * instead of asking for what is unfinished.
 */
export const deadlines: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`CREATE INDEX deliveries_deadline ON deliveries (expires_at, id)`.execute(db)
    await sql`CREATE INDEX notifications_accepted ON notifications (accepted_at)`.execute(db)
    await sql`ALTER TABLE deliveries ADD COLUMN cancel_requested_at timestamptz`.execute(db)
    await sql`
      CREATE TABLE cancellations (
        notification_id uuid PRIMARY KEY,
        tenant          text NOT NULL,
        requested_at    timestamptz NOT NULL
      )`.execute(db)
    await sql`
      CREATE TABLE sweeps (
        name       text PRIMARY KEY,
        expires_at timestamptz NOT NULL,
        id         uuid NOT NULL
      )`.execute(db)
    await sql`
      INSERT INTO sweeps (name, expires_at, id)
      VALUES ('overdue', '-infinity', '00000000-0000-0000-0000-000000000000')`.execute(db)
  },
}
