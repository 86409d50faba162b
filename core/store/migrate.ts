import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { StartRefused } from '../settings/start-refused.ts'
import { migrations as known } from './migrations.ts'
import type { Database } from './schema.ts'

/**
 * Brings the database to the newest schema, all migrations or none. Any number of processes may do so at once: an advisory lock lets
 * one work, and the others find it done. Throws StartRefused on a database that a newer release has migrated.
 */
export async function migrate(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>> = known,
): Promise<void> {
  await db.connection().execute(async (connection) => {
    // Waiting for another's work, and a large table's new index, take longer than a query may.
    await sql`SET statement_timeout = 0`.execute(connection)
    try {
      const { error } = await new Migrator({
        db: connection,
        provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
      }).migrateToLatest()
      if (error !== undefined) throw (await newerRelease(connection, migrations)) ?? (error as Error)
    } finally {
      // The connection returns to the pool as it was opened; one that broke does not return.
      await sql`RESET statement_timeout`.execute(connection).catch(() => {})
    }
  })
}

/**
 * Whether the database has every migration of this release. One that a newer release has migrated further has them too: while
 * an upgrade rolls, both releases work on it.
 */
export async function isMigrated(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>> = known,
): Promise<boolean> {
  const { rows: tables } = await sql<{ found: boolean }>`
    SELECT to_regclass('kysely_migration') IS NOT NULL AS found`.execute(db)
  if (tables[0]?.found !== true) return false
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration`.execute(db)
  const applied = new Set(rows.map(({ name }) => name))
  return Object.keys(migrations).every((name) => applied.has(name))
}

/** What to say instead of Kysely's "corrupted migrations" when a newer release was here. */
async function newerRelease(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<StartRefused | undefined> {
  const query = sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`
  const { rows } = await query.execute(db).catch(() => ({ rows: [] }))
  const unknown = rows.find(({ name }) => !(name in migrations))
  if (unknown === undefined) return undefined
  return new StartRefused(
    `the database has migration ${unknown.name}, which this release does not know: run a newer release`,
  )
}
