import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Deliveries whose topic does not take them, such as one that was deleted: each as the record that is to be written once it does. */
export const heldRecords: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE held_records (
        delivery_id uuid PRIMARY KEY,
        sequence    bigint GENERATED ALWAYS AS IDENTITY,
        topic       text NOT NULL,
        key         text,
        value       bytea NOT NULL,
        headers     jsonb NOT NULL,
        expires_at  timestamptz NOT NULL,
        held_at     timestamptz NOT NULL
      )`.execute(db)
    await sql`CREATE INDEX held_records_topic ON held_records (topic, sequence)`.execute(db)
    await sql`CREATE INDEX held_records_deadline ON held_records (expires_at)`.execute(db)
  },
}
