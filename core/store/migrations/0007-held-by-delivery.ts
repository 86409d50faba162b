import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Held records go when their delivery has ended, not by their own deadline. */
export const heldByDelivery: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`DROP INDEX held_records_deadline`.execute(db)
  },
}
