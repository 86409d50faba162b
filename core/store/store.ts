import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Logger } from '../observability/logger.ts'
import type { Database } from './schema.ts'

export interface Store {
  db: Kysely<Database>
  /** Rejects when the database does not answer within 5 s, also when its machine fell silent. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface StoreOptions {
  url: string
  logger: Logger
  /** Connections at the most. */
  poolSize?: number
}

/** bigint: our sequences and counts stay far below 2^53. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/** A time limit on our side: the server's own does not help when nothing comes from there any more. */
const probe = { text: 'SELECT 1', query_timeout: 5_000 }

/** Opens the pool; connects at the first query. */
export function openStore({ url, logger, poolSize = 20 }: StoreOptions): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'carillon',
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
  })
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on('error', (error) => logger.warn({ err: error }, 'Connection to PostgreSQL lost'))
  // The pool does not listen to a connection that is in use. When the server is killed, such a one may fail between two queries or
  // a second time after its query did; that query's caller knows already.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    async ping() {
      await pool.query(probe)
    },
    close: () => db.destroy(),
  }
}

const unavailableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])
/** SQLSTATE classes: connection exception, insufficient resources, operator intervention (shutdown, crash, starting up). */
const unavailableStates = /^(08|53|57P)/
/** Messages of node-postgres that carry no code. */
const unavailableMessages =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/

/** Whether a query failed because the database cannot be reached now, so that the same query may succeed later. */
export function isStoreUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && (unavailableCodes.has(code) || unavailableStates.test(code))) return true
  return unavailableMessages.test(error.message)
}

/** Whether the database refused the log-in, or there is no database of that name: SQLSTATE classes 28 and 3D. */
export function isLoginRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && /^(28|3D)/.test(code)
}
