import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres.ts'
import { createLogger } from '../observability/logger.ts'
import { isStoreUnavailable, openStore, type Store } from './store.ts'

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

function open(url: string): Store {
  return openStore({ url, logger: createLogger({ level: 'ERROR' }), poolSize: 1 })
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

describe('ping', () => {
  it('gives up on a server that falls silent, and does not use that connection again', async () => {
    const { hostname, port } = new URL(database.url)
    const sockets: Socket[] = []
    const proxy = createServer((client) => {
      const server = connect(Number(port), hostname)
      client.pipe(server).pipe(client)
      sockets.push(client, server)
      for (const socket of [client, server]) socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const url = new URL(database.url)
    url.port = String((proxy.address() as AddressInfo).port)
    const behindProxy = open(url.href)
    try {
      await behindProxy.ping()
      sockets[0]!.unpipe()
      expect(isStoreUnavailable(await failureOf(behindProxy.ping()))).toBe(true)
      await behindProxy.ping()
    } finally {
      for (const socket of sockets) socket.destroy()
      proxy.close()
      await behindProxy.close()
    }
  }, 20_000)
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
  }, 20_000)

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
