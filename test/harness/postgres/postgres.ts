import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import pg from 'pg'
import { inject } from 'vitest'
import { createLogger } from '../../../core/observability/logger.ts'
import type { Database } from '../../../core/store/schema.ts'
import { openStore } from '../../../core/store/store.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where `postgres-server.ts` hands out the url of the run's PostgreSQL. */
    postgresServer: string
  }
}

export interface TestDatabase {
  db: Kysely<Database>
  url: string
  close(): Promise<void>
}

/** A database of its own for a test file, migrated and empty, on the run's shared PostgreSQL. That server keeps nothing through a crash. */
export async function testDatabase(): Promise<TestDatabase> {
  const url = await createTestDatabase('carillon')
  const store = openStore({ url, logger: createLogger({ level: 'ERROR' }) })
  return { db: store.db, url, close: () => store.close() }
}

/** A database without tables on the same server: the url. */
export function emptyTestDatabase(): Promise<string> {
  return createTestDatabase('template1')
}

async function createTestDatabase(template: string): Promise<string> {
  const response = await fetch(inject('postgresServer'))
  const answer = await response.text()
  if (!response.ok) throw new Error(`The tests' PostgreSQL does not start: ${answer}`)
  const url = new URL(answer)
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    const name = `test_${randomBytes(6).toString('hex')}`
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`)
    url.pathname = `/${name}`
    return url.href
  } finally {
    await client.end()
  }
}
