import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { describePart } from '../../test/harness/parts/describe-part.ts'
import { createLogger } from '../observability/logger.ts'
import { DataDirInUseError, type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { migrate } from './migrate.ts'
import { openStore } from './store.ts'

// Making a cluster takes a second of processor time, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const running: EmbeddedPostgres[] = []
const children: ChildProcess[] = []
let base: string
/** Two levels down in a folder that is closed to the account under which the server runs when we are root. */
let dataDir: string
let cluster: string

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'carillon-embedded-'))
  await chmod(base, 0o700)
  dataDir = join(base, 'home', 'data')
  cluster = join(dataDir, 'postgres')
  const server = await startEmbeddedPostgres({ dataDir, logger })
  await query(server, "CREATE TABLE kept AS SELECT 'written before' AS value")
  await server.stop()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(running.splice(0).map((server) => server.stop()))
})
afterAll(() => rm(base, { recursive: true, force: true }))

async function start(signal?: AbortSignal): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, logger, ...(signal && { signal }) })
  running.push(server)
  return server
}

async function query({ url }: { url: string }, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** A process that has the data folder, and the server that it leaves when it is killed. */
async function startOwner(): Promise<{ owner: ChildProcess; left: { url: string; pid: number } }> {
  const program = `
    import { startEmbeddedPostgres } from '${new URL('embedded.ts', import.meta.url).href}'
    import { createLogger } from '${new URL('../observability/logger.ts', import.meta.url).href}'
    const logger = createLogger({ level: 'ERROR' })
    const { url, pid } = await startEmbeddedPostgres({ dataDir: process.argv[1], logger })
    console.log(JSON.stringify({ url, pid }))
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', program, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(owner)
  const [line] = (await once(owner.stdout, 'data')) as [Buffer]
  return { owner, left: JSON.parse(line.toString()) as { url: string; pid: number } }
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('the embedded PostgreSQL', () => {
  it('keeps what was written across a restart, and leaves no process behind', async () => {
    const server = await start()
    expect(await query(server, 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
    await server.stop()
    await server.stop()
    expect(isAlive(server.pid)).toBe(false)
  })

  it('acknowledges a commit only when it is on disk, whatever the files of the cluster say', async () => {
    const server = await start()
    await query(server, 'ALTER SYSTEM SET fsync = off')
    await server.stop()
    const again = await start()
    await query(again, 'ALTER SYSTEM RESET fsync')
    const rows = await query(
      again,
      `SELECT name, setting FROM pg_settings
       WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name`,
    )
    expect(rows).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'full_page_writes', setting: 'on' },
      { name: 'synchronous_commit', setting: 'on' },
    ])
  })

  it('refuses whoever does not know the password, which only the owner of the folder can read', async () => {
    const server = await start()
    const url = new URL(server.url)
    expect(url.hostname).toBe('127.0.0.1')
    url.password = 'guessed'
    await expect(query({ url: url.href }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
    expect((await stat(join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600)
  })

  it('writes no value of a failed statement to its log', async () => {
    const server = await start()
    await query(server, 'CREATE TABLE addresses (address text PRIMARY KEY)')
    const insert = "INSERT INTO addresses VALUES ('ada@example.com')"
    await query(server, insert)
    await expect(query(server, insert)).rejects.toMatchObject({ code: '23505' })
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8')
    expect(log).toContain('duplicate key value')
    expect(log).not.toContain('ada@example.com')
  })

  it('refuses a second start in the same process', async () => {
    await start()
    await expect(start()).rejects.toThrow(new DataDirInUseError(dataDir, String(process.pid)))
  })

  it('names the process that has the folder, and ends its server when that process was killed', async () => {
    const { owner, left } = await startOwner()
    await expect(start()).rejects.toThrow(`${dataDir} is in use by process ${owner.pid}`)
    await killed(owner)
    expect(await query(left, 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
    const server = await start()
    await expect(query(left, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(await query(server, 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
  })

  it('starts when the process that had the folder was killed together with its server', async () => {
    const { owner, left } = await startOwner()
    await killed(owner)
    process.kill(left.pid, 'SIGKILL')
    expect(await query(await start(), 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
  })

  it('starts when its process id now belongs to another program of the same account', async () => {
    const { uid, gid } = await stat(cluster)
    const other = spawn('sleep', ['60'], { stdio: 'ignore', ...(process.getuid?.() === 0 && { uid, gid }) })
    children.push(other)
    await once(other, 'spawn')
    const pidFile = join(cluster, 'postmaster.pid')
    await writeFile(
      pidFile,
      `${other.pid}\n${cluster}\n${Math.floor(Date.now() / 1000)}\n5432\n\n127.0.0.1\n`,
    )
    chownSync(pidFile, uid, gid)
    const server = await start()
    expect(await query(server, 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
    expect(isAlive(other.pid!)).toBe(true)
  })

  it('tells when the server ends by itself, and then gives the folder back', async () => {
    const server = await start()
    process.kill(server.pid, 'SIGKILL')
    expect(await server.ended).toBe('PostgreSQL ended (SIGKILL)')
    await server.stop()
    expect(await query(await start(), 'SELECT value FROM kept')).toEqual([{ value: 'written before' }])
  })

  it('stops starting when told to, and leaves nothing that is in the way of the next start', async () => {
    const abort = new AbortController()
    const starting = start(abort.signal)
    abort.abort(new Error('not now'))
    await expect(starting).rejects.toThrow('not now')
    await start()
  })
})

describe('a folder that cannot be used is refused with one line', () => {
  it('when it is below a file', async () => {
    const file = join(base, 'file')
    await writeFile(file, '')
    await expect(startEmbeddedPostgres({ dataDir: join(file, 'data'), logger })).rejects.toThrow(
      `the data folder ${file}/data cannot be made (ENOTDIR)`,
    )
  })

  it('when it holds something else', async () => {
    const other = join(base, 'other')
    await mkdir(join(other, 'postgres'), { recursive: true })
    await writeFile(join(other, 'postgres', 'letter.txt'), 'Dear Ada')
    await expect(startEmbeddedPostgres({ dataDir: other, logger })).rejects.toThrow(
      `${other}/postgres is not empty and not a PostgreSQL cluster`,
    )
    expect(await readFile(join(other, 'postgres', 'letter.txt'), 'utf8')).toBe('Dear Ada')
  })

  it('when another major version made it', async () => {
    const old = join(base, 'old')
    await mkdir(join(old, 'postgres'), { recursive: true })
    await writeFile(join(old, 'postgres', 'PG_VERSION'), '9\n')
    await expect(startEmbeddedPostgres({ dataDir: old, logger })).rejects.toThrow(
      `${old}/postgres was made by PostgreSQL 9, and this is 18`,
    )
  })

  it('when the server refuses its own files', async () => {
    const broken = join(base, 'broken')
    await cp(dataDir, broken, { recursive: true })
    await rm(join(broken, 'postgres', 'global', 'pg_control'))
    await expect(startEmbeddedPostgres({ dataDir: broken, logger })).rejects.toThrow(
      /^PostgreSQL ended .*: \S/,
    )
  })

  it('when its password is lost', async () => {
    await (await start()).stop()
    const password = join(dataDir, 'postgres.password')
    await rename(password, `${password}.lost`)
    await expect(start()).rejects.toThrow(
      'the database was made with another password than that in postgres.password',
    )
    await rename(`${password}.lost`, password)
  })
})

describePart('postgres', (path) => {
  let open: string

  beforeAll(async () => {
    // Before release 16 the server's programs find no way back into a closed folder.
    open = await mkdtemp(join(tmpdir(), 'carillon-embedded-'))
    await chmod(open, 0o755)
  })
  afterAll(() => rm(open, { recursive: true, force: true }))

  it('runs a PostgreSQL that was already here, and our migrations on it', async () => {
    const dataDir = join(open, 'data')
    await mkdir(dataDir, { mode: 0o755 })
    const server = await startEmbeddedPostgres({ dataDir, logger, binaries: path })
    running.push(server)
    const store = openStore({ url: server.url, logger })
    try {
      await migrate(store.db)
      expect(await store.db.selectFrom('deliveries').selectAll().execute()).toEqual([])
    } finally {
      await store.close()
    }
  })
})
