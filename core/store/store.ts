import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Logger } from '../observability/logger.ts'
import { statementPreparer } from './prepared.ts'
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
  /** Milliseconds that a query may take, also when the server has fallen silent and keeps no limit of its own; 0 for any time. */
  queryTimeout?: number
}

/** bigint: our sequences and counts stay far below 2^53. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/** A time limit on our side: the server's own does not help when nothing comes from there any more. */
const probe = { text: 'SELECT 1', query_timeout: 5_000 }

const silenceMargin = 2_000

/**
 * What we ask of tables that grow is found by an index. While a table is of a few pages PostgreSQL reads it from one end to the other instead, and a
 * plan that was made then and is kept would do so when it has millions of rows. Where there is no other way a table is still scanned, at a
 * fictitious cost that must not make it compile the statement.
 */
const byIndex = { text: 'SET enable_seqscan = off; SET jit = off', query_timeout: 5_000 }

/**
 * Milliseconds after which the server ends a transaction whose client says nothing more. Ours never pause; one whose connection was cut
 * without a word would keep its locks, and everybody who wants the same rows would wait for hours.
 */
const idleInTransaction = 10_000

/** Opens the pool; connects at the first query. */
export function openStore({ url, logger, poolSize = 20, queryTimeout = 30_000 }: StoreOptions): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'carillon',
    connectionTimeoutMillis: 5_000,
    statement_timeout: queryTimeout,
    // Ours comes a little later than the server's own, which is the kinder one.
    query_timeout: queryTimeout && queryTimeout + silenceMargin,
    idle_in_transaction_session_timeout: idleInTransaction,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // oxlint-disable-next-line typescript/no-misused-promises -- it is waited for, which its type does not say
    onConnect: async (client) => {
      await client.query(byIndex)
    },
  })
  let closing = false
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process. The pool is closed before
  // its connections are, so a server that stops right after it may still speak to one.
  pool.on('error', (error) => {
    if (!closing) logger.warn({ err: error }, 'Connection to PostgreSQL lost')
  })
  // The pool does not listen to a connection that is in use. When the server is killed, such a one may fail between two queries or
  // a second time after its query did; that query's caller knows already.
  const prepare = statementPreparer(logger)
  pool.on('connect', (client) => {
    client.on('error', () => {})
    endWhenSilent(client)
    prepare(client)
  })
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    async ping() {
      await pool.query(probe)
    },
    close() {
      closing = true
      return db.destroy()
    },
  }
}

/** Ends a connection whose query got no answer in time: that answer may still come, and would be taken for the next query's. */
function endWhenSilent(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown
  const watched = (...args: unknown[]) => {
    const result = query(...args)
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (error instanceof Error && error.message === 'Query read timeout')
          void (client as unknown as pg.Client).end()
      })
    }
    return result
  }
  client.query = watched as typeof client.query
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

/**
 * Whether a query failed for the values it was given, so that the same query will always fail: SQLSTATE classes data exception, integrity
 * constraint violation, program limit exceeded. Everything else may pass (a lost connection, a failover to a replica that is still read-only, a
 * time limit, a deadlock) or is a defect of ours, and neither is a reason to give up what was accepted.
 */
export function isDataError(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && /^(22|23|54)[0-9A-Z]{3}$/.test(code)
}

/** Whether the database refused the log-in, or there is no database of that name: SQLSTATE classes 28 and 3D. */
export function isLoginRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && /^(28|3D)/.test(code)
}
