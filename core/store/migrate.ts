import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { StartRefused } from '../settings/start-refused.ts'
import { migrations as known } from './migrations.ts'
import type { Database } from './schema.ts'

/** Our number for PostgreSQL's advisory locks; whoever has it migrates. */
const migrationLock = 0x6361_7269

/**
 * Brings the database to the newest schema, all migrations or none. Any number of processes may do so at once: one works, the others
 * wait and find it done. Throws StartRefused on a database that a newer release has migrated.
 */
export async function migrate(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>> = known,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    // Waiting for another's work, and a large table's new index, take longer than a query may.
    await sql`SET LOCAL statement_timeout = 0`.execute(transaction)
    await sql`SELECT pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction)
    await refuseNewer(transaction, migrations)
    const { error } = await new Migrator({
      db: transaction,
      provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    }).migrateToLatest()
    if (error !== undefined) throw error as Error
  })
}

async function refuseNewer(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const { rows: tables } = await sql<{ found: boolean }>`
    SELECT to_regclass('kysely_migration') IS NOT NULL AS found`.execute(db)
  if (tables[0]?.found !== true) return
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db)
  const unknown = rows.find(({ name }) => !(name in migrations))
  if (unknown !== undefined) {
    throw new StartRefused(
      `the database has migration ${unknown.name}, which this release does not know: run a newer release`,
    )
  }
}
