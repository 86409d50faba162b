import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterEach, describe, expect, it } from 'vitest'
import { emptyTestDatabase } from '../../test/harness/postgres/postgres.ts'
import { createLogger } from '../observability/logger.ts'
import { isMigrated, migrate } from './migrate.ts'
import { migrations } from './migrations.ts'
import { openStore, type Store } from './store.ts'

const stores: Store[] = []

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})

function open(url: string): Store {
  const store = openStore({ url, logger: createLogger({ level: 'ERROR' }), poolSize: 1 })
  stores.push(store)
  return store
}

async function migrationNames({ db }: Store): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db)
  return rows.map(({ name }) => name)
}

async function tableNames({ db }: Store): Promise<string[]> {
  const tables = await db.introspection.getTables()
  return tables.map(({ name }) => name)
}

describe('migrate', () => {
  it('makes the tables that the code queries', async () => {
    const store = open(await emptyTestDatabase())
    await migrate(store.db)
    expect(await tableNames(store)).toEqual(
      expect.arrayContaining(['notifications', 'deliveries', 'attempts', 'users', 'inbox']),
    )
    expect(await migrationNames(store)).toEqual(Object.keys(migrations))
  })

  it('is told by isMigrated, also when a newer release has gone further', async () => {
    const store = open(await emptyTestDatabase())
    expect(await isMigrated(store.db)).toBe(false)
    await migrate(store.db)
    expect(await isMigrated(store.db)).toBe(true)
    expect(await isMigrated(store.db, { '0001-initial': migrations['0001-initial']! })).toBe(true)
    expect(await isMigrated(store.db, { ...migrations, '9999-next': migrations['0001-initial']! })).toBe(
      false,
    )
  })

  it('runs every migration once when four processes start together', async () => {
    const url = await emptyTestDatabase()
    const together = [open(url), open(url), open(url), open(url)]
    await Promise.all(together.map(({ db }) => migrate(db)))
    expect(await migrationNames(together[0]!)).toEqual(Object.keys(migrations))
  })

  it('changes nothing the second time', async () => {
    const store = open(await emptyTestDatabase())
    await migrate(store.db)
    await store.db
      .insertInto('users')
      .values({ tenant: 'shop', id: 'ada', profile: '{}', created_at: new Date(0), updated_at: new Date(0) })
      .execute()
    await migrate(store.db)
    expect(await store.db.selectFrom('users').select('id').execute()).toEqual([{ id: 'ada' }])
  })

  it('gives the connection back with the time limit of queries', async () => {
    const store = open(await emptyTestDatabase())
    const limit = () => sql`SHOW statement_timeout`.execute(store.db)
    const before = await limit()
    expect(before.rows).toEqual([{ statement_timeout: '30s' }])
    await migrate(store.db)
    expect((await limit()).rows).toEqual(before.rows)
  })

  it('refuses a database that a newer release has migrated', async () => {
    const store = open(await emptyTestDatabase())
    const later: Migration = { up: (db) => sql`CREATE TABLE later ()`.execute(db).then(() => {}) }
    await migrate(store.db, { ...migrations, '9999-later': later })
    await expect(migrate(store.db)).rejects.toThrow(
      /^the database has migration 9999-later, which this release does not know: run a newer release$/,
    )
  })

  it('leaves nothing behind when a migration fails, and says which error it was', async () => {
    const store = open(await emptyTestDatabase())
    const broken: Migration = { up: (db) => sql`CREATE TABLE users ()`.execute(db).then(() => {}) }
    await expect(migrate(store.db, { ...migrations, '9999-broken': broken })).rejects.toThrow(
      'relation "users" already exists',
    )
    expect(await tableNames(store)).toEqual([])
  })
})
