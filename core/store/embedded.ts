import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Logger } from '../observability/logger.ts'
import { StartRefused } from '../settings/start-refused.ts'
import { serverAccount } from './embedded/account.ts'
import { locateNativePackage, prepareBinaries, probeBinaries } from './embedded/binaries.ts'
import { clusterExists, createCluster } from './embedded/cluster.ts'
import { lockDataDir } from './embedded/data-dir-lock.ts'
import { endOrphan } from './embedded/orphan.ts'
import { startServer } from './embedded/server.ts'

export { DataDirInUseError } from './embedded/data-dir-lock.ts'

export interface EmbeddedPostgres {
  /** With the password in it: not for logs. */
  url: string
  /** The server's process id. */
  pid: number
  /** Settles with one line when the server ends without `stop`; never otherwise. */
  ended: Promise<string>
  /** Ends the server, rolling back what runs; safe to call twice. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Holds the cluster in `postgres/`, its log, its password and the lock. Made when missing. */
  dataDir: string
  logger: Logger
  /** The folder of another PostgreSQL's `initdb` and `postgres`, instead of the programs from npm. */
  binaries?: string
  /** More of PostgreSQL's settings. Tests that need no durability switch `fsync` off. */
  settings?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

/**
 * Starts a PostgreSQL of our own on a free port of 127.0.0.1, with every commit on disk before it is acknowledged. Also as root, where
 * the server runs under another account. At the first start the cluster is made, which takes some 2 s. After a crash it recovers first.
 * Throws DataDirInUseError while another process has the folder, StartRefused on what the operator can mend.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { logger, settings, signal } = options
  const dataDir = resolve(options.dataDir)
  const folder = join(dataDir, 'postgres')
  await makeDataDir(dataDir)
  const lock = lockDataDir(dataDir)
  try {
    const account = serverAccount(folder)
    const binaries =
      options.binaries === undefined
        ? await prepareBinaries(await locateNativePackage(), account)
        : await probeBinaries(options.binaries, account)
    const password = await readOrCreatePassword(join(dataDir, 'postgres.password'))
    if (await clusterExists(folder, binaries)) {
      await endOrphan(folder, logger)
    } else {
      logger.info('Making the database, which takes a few seconds')
      await createCluster({ folder, binaries, account, password }, signal)
    }
    const server = await startServer(
      { folder, logFile: join(dataDir, 'postgres.log'), binaries, account, password, settings, logger },
      signal,
    )
    return {
      url: server.url,
      pid: server.pid,
      ended: server.ended,
      async stop() {
        await server.stop()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartRefused(`the data folder ${dataDir} cannot be made (${code})`, 1, { cause: error })
  }
}

/** The password is there, and on disk, before the cluster that asks for it. */
async function readOrCreatePassword(path: string): Promise<string> {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  const password = randomBytes(24).toString('base64url')
  const draft = `${path}.new`
  await rm(draft, { force: true })
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${password}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  return password
}
