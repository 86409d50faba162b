import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from '../../observability/logger.ts'
import { StartRefused } from '../../settings/start-refused.ts'
import { isLoginRefused, isStoreUnavailable } from '../store.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import { clusterPath, databaseName, serverEnvironment } from './cluster.ts'
import { openServerLog, type ServerLog } from './server-log.ts'

/** Recovery after a crash replays at most `max_wal_size`, seconds on a laptop; a slow disk gets its time. */
const startMilliseconds = 60_000

export interface ServerOptions {
  folder: string
  logFile: string
  binaries: Binaries
  account: Account | undefined
  password: string
  settings: Readonly<Record<string, string>> | undefined
  logger: Logger
}

export interface Server {
  url: string
  pid: number
  ended: Promise<string>
  stop(): Promise<void>
}

/** Starts the server on a cluster and waits until it answers. Throws StartRefused with the server's own last word when it ends instead. */
export async function startServer(options: ServerOptions, signal?: AbortSignal): Promise<Server> {
  const log = await openServerLog(options.logFile, options.logger)
  try {
    const deadline = performance.now() + startMilliseconds
    for (;;) {
      const server = await tryStart(options, log, deadline, signal)
      if (server !== undefined) return server
      await delay(50, undefined, { signal })
    }
  } catch (error) {
    log.close()
    throw error
  }
}

/** Undefined when it ended for a reason that passes: the port was taken meanwhile, or processes of a killed server still end. */
async function tryStart(
  { folder, binaries, account, password, settings, logger }: ServerOptions,
  log: ServerLog,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<Server | undefined> {
  signal?.throwIfAborted()
  const port = await freePort()
  const alreadyLogged = log.read().length
  const child = spawn(
    join(binaries.folder, 'postgres'),
    ['-D', clusterPath(folder, account), ...asArguments({ ...serverSettings(port), ...settings })],
    {
      cwd: folder,
      env: serverEnvironment,
      stdio: ['ignore', log.descriptor, log.descriptor],
      // In a process group of its own: a Ctrl-C in the terminal is for us, who stop the server last.
      detached: true,
      ...account,
    },
  )
  // Resolves also when the program could not be started at all.
  const exited = once(child, 'exit').then(
    ([code, by]) => `PostgreSQL ended (${String(by ?? `exit code ${String(code)}`)})`,
    (error: unknown) => `PostgreSQL could not be started (${(error as NodeJS.ErrnoException).code})`,
  )
  const url = `postgres://${databaseName}:${password}@127.0.0.1:${port}/${databaseName}`
  try {
    await Promise.race([answering(url, deadline, signal), exited])
  } catch (error) {
    await end(child)
    throw error
  }
  if (hasEnded(child)) {
    const said = log.read().slice(alreadyLogged)
    const passes = /Address already in use|pre-existing shared memory block/.test(said)
    if (passes && performance.now() < deadline) return undefined
    throw new StartRefused(`${await exited}: ${lastError(said)}`)
  }
  logger.info({ port }, 'PostgreSQL ready')
  return { url, pid: child.pid!, ...supervise(child, exited, log, logger) }
}

/** Runs until `stop`, or until the server ends by itself. */
function supervise(child: ChildProcess, exited: Promise<string>, log: ServerLog, logger: Logger) {
  let stopping: Promise<void> | undefined
  const ended = new Promise<string>((resolve) => {
    void exited.then((how) => {
      log.close()
      if (stopping !== undefined) return
      logger.error(how)
      resolve(how)
    })
  })
  return { ended, stop: () => (stopping ??= end(child)) }
}

function serverSettings(port: number): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '60',
    // What a laptop hardly notices; the log is replayed quickly after a crash, and nobody replicates from here.
    shared_buffers: '64MB',
    max_wal_size: '256MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    // An acknowledged commit is on disk. Said here, where no file of the cluster can say otherwise.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Statements and details hold values, so addresses and payloads: they stay out of the log.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    log_line_prefix: '%m [%p] ',
  }
}

function asArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Waits until the database answers, and makes it at the first start. Throws when it refuses us or the deadline passes. */
async function answering(url: string, deadline: number, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    signal?.throwIfAborted()
    try {
      await ensureDatabase(url)
      return
    } catch (error) {
      if (isLoginRefused(error))
        throw new StartRefused(
          'the database was made with another password than that in postgres.password',
          1,
          {
            cause: error,
          },
        )
      if (!isStoreUnavailable(error) || performance.now() > deadline) throw error
    }
    await delay(20, undefined, { signal })
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  const client = new pg.Client({ connectionString: maintenance.href, connectionTimeoutMillis: 5_000 })
  // A connection lost between two queries would otherwise end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`)
  } finally {
    await client.end()
  }
}

/** Fast shutdown: running transactions are rolled back. Recovery at the next start follows only when that takes over 30 s. */
async function end(child: ChildProcess): Promise<void> {
  for (const [signal, milliseconds] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 10_000],
    ['SIGKILL', 10_000],
  ] as const) {
    if (hasEnded(child)) return
    const exit = once(child, 'exit', { signal: AbortSignal.timeout(milliseconds) })
    child.kill(signal)
    await exit.catch(() => {})
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

/** Another program can take the port before the server does; then the server ends, and the next try gets another. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The last complaint, without time and process id. */
function lastError(log: string): string {
  const lines = log.trim().split('\n')
  const line = lines.findLast((candidate) => /(FATAL|PANIC|ERROR):/.test(candidate)) ?? lines.at(-1) ?? ''
  return line.replace(/^.*?((FATAL|PANIC|ERROR):)/, '$1')
}
