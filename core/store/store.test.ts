import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { startTcpProxy } from '../../test/harness/tcp-proxy.ts'
import { createLogger } from '../observability/logger.ts'
import { prepared } from './prepared.ts'
import { isDataError, isStoreUnavailable, openStore, type Store } from './store.ts'

let database: TestDatabase
let store: Store

beforeAll(async () => {
  database = await testDatabase()
  store = open(database.url)
})
afterAll(async () => {
  await store.close()
  await database.close()
})

function open(url: string, queryTimeout = 30_000): Store {
  return openStore({ url, logger: createLogger({ level: 'ERROR' }), poolSize: 1, queryTimeout })
}

/** Ends the connections of `store` from outside, as a failover or an administrator does. */
async function breakConnections(): Promise<void> {
  await sql`
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(database.db)
}

async function failureOf(query: Promise<unknown>): Promise<unknown> {
  return query.then(
    () => expect.unreachable('the query succeeded'),
    (error: unknown) => error,
  )
}

describe('the store', () => {
  it('reads 64-bit integers as numbers and time stamps as dates', async () => {
    const { rows } =
      await sql`SELECT count(*) AS count, timestamptz '2026-01-02 03:04:05.678Z' AS at`.execute(store.db)
    expect(rows).toEqual([{ count: 1, at: new Date('2026-01-02T03:04:05.678Z') }])
  })

  it('answers again after its idle connections were broken', async () => {
    await store.ping()
    await breakConnections()
    await expect
      .poll(() =>
        store.ping().then(
          () => 'answers',
          () => 'fails',
        ),
      )
      .toBe('answers')
  })
})

describe('a statement that is marked as prepared', () => {
  const double = async ({ db }: Store, value: number) => {
    const { rows } = await sql<{ doubled: number }>`${prepared('double')}
      SELECT 2 * value::int AS doubled FROM json_array_elements_text(${JSON.stringify([value])})`.execute(db)
    return rows[0]!.doubled
  }
  const preparedOf = async ({ db }: Store) => {
    const { rows } = await sql<{ name: string; generic: number }>`
      SELECT name, generic_plans AS generic FROM pg_prepared_statements WHERE from_sql = false AND name <> ''`.execute(
      db,
    )
    return rows
  }

  it('is parsed once on each connection, and planned no more after five times', async () => {
    for (let value = 1; value <= 7; value++) expect(await double(store, value)).toBe(2 * value)
    expect(await preparedOf(store)).toEqual([{ name: 'double', generic: 2 }])
  })

  it('is not prepared any more behind a pooler that does not know of it', async () => {
    const log: string[] = []
    const logger = createLogger({ level: 'WARNING', destination: { write: (line) => void log.push(line) } })
    const pooled = openStore({ url: database.url, logger, poolSize: 1 })
    try {
      await double(pooled, 1)
      // As when the pooler hands us another connection of its own.
      await sql`DEALLOCATE ALL`.execute(pooled.db)
      expect(await failureOf(double(pooled, 1))).toMatchObject({ code: '26000' })
      expect(await double(pooled, 3)).toBe(6)
      expect(await preparedOf(pooled)).toEqual([])
      expect(log).toHaveLength(1)
    } finally {
      await pooled.close()
    }
  })
})
describe('a server that falls silent', () => {
  const ways: [string, (store: Store) => Promise<unknown>][] = [
    ['ping', (store) => store.ping()],
    ['a query', ({ db }) => sql`SELECT 1`.execute(db)],
  ]
  it.each(ways)('fails %s in time, and its connection is not used again', async (_name, ask) => {
    const url = new URL(database.url)
    const proxy = await startTcpProxy({ port: Number(url.port) })
    url.port = String(proxy.port)
    const behindProxy = open(url.href, 1_000)
    try {
      await ask(behindProxy)
      proxy.silence()
      expect(isStoreUnavailable(await failureOf(ask(behindProxy)))).toBe(true)
      await ask(behindProxy)
    } finally {
      await proxy.close()
      await behindProxy.close()
    }
  })
})

describe('isDataError', () => {
  it('blames the values only for what they would always fail with', async () => {
    const failure = async (query: string) => failureOf(sql.raw(query).execute(store.db))
    expect(isDataError(await failure("SELECT 'x'::int"))).toBe(true)
    expect(isDataError(await failure("INSERT INTO users (tenant, id) VALUES ('t', NULL)"))).toBe(true)
    expect(isDataError(await failure('SELECT * FROM nowhere'))).toBe(false)
    expect(isDataError(await failure('SET statement_timeout = 1; SELECT pg_sleep(1)'))).toBe(false)
    for (const code of ['EHOSTUNREACH', '25006', '40P01', '58030', '28P01']) {
      expect(isDataError(Object.assign(new Error('x'), { code }))).toBe(false)
    }
  })
})

describe('isStoreUnavailable', () => {
  it('is true when nobody listens', async () => {
    const nowhere = open('postgres://carillon@127.0.0.1:1/carillon')
    expect(isStoreUnavailable(await failureOf(nowhere.ping()))).toBe(true)
    await nowhere.close()
  })

  it('is true for a query whose connection was ended', async () => {
    const sleeping = failureOf(sql`SELECT pg_sleep(30)`.execute(store.db))
    await expect
      .poll(async () => {
        const { rows } = await sql`
          SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND datname = current_database()`.execute(
          database.db,
        )
        return rows.length
      })
      .toBe(1)
    await breakConnections()
    expect(isStoreUnavailable(await sleeping)).toBe(true)
  })

  it('is true when no connection comes free in time', async () => {
    const waiting = await store.db.connection().execute(() => failureOf(store.ping()))
    expect(isStoreUnavailable(waiting)).toBe(true)
  })

  it.each([
    ['a mistake in a statement', sql`SELECT missing FROM users`],
    [
      'a value that is there already',
      sql`INSERT INTO users SELECT 't', 'u', '{}', now(), now() FROM generate_series(1, 2)`,
    ],
    ['a statement that took too long', sql`SELECT pg_sleep(30)`],
  ])('is false for %s', async (_, statement) => {
    const error = await failureOf(
      store.db.transaction().execute(async (transaction) => {
        await sql`SET LOCAL statement_timeout = 200`.execute(transaction)
        await statement.execute(transaction)
      }),
    )
    expect(error).toBeInstanceOf(Error)
    expect(isStoreUnavailable(error)).toBe(false)
  })

  it('is false for what is no error at all', () => {
    expect(isStoreUnavailable(undefined)).toBe(false)
    expect(isStoreUnavailable('ECONNREFUSED')).toBe(false)
  })
})
