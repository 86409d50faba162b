import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StartRefused } from '../../settings/start-refused.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'

/** The superuser of the cluster and the database in it carry the same name. */
export const databaseName = 'carillon'

/** Whether the folder holds a cluster. Throws StartRefused on a cluster of another major version, or a folder of something else. */
export async function clusterExists(folder: string, { majorVersion }: Binaries): Promise<boolean> {
  if (!existsSync(folder)) return false
  const versionFile = join(folder, 'PG_VERSION')
  if (existsSync(versionFile)) {
    const version = readFileSync(versionFile, 'utf8').trim()
    if (version === String(majorVersion)) return true
    throw new StartRefused(`${folder} was made by PostgreSQL ${version}, and this is ${majorVersion}`)
  }
  if ((await readdir(folder)).length === 0) return false
  throw new StartRefused(`${folder} is not empty and not a PostgreSQL cluster`)
}

/** Makes an empty cluster (UTF-8, locale C), all or nothing: it is made beside its place and moved there when it is whole and on disk. */
export async function createCluster(
  {
    folder,
    binaries,
    account,
    password,
  }: { folder: string; binaries: Binaries; account: Account | undefined; password: string },
  signal?: AbortSignal,
): Promise<void> {
  const draft = `${folder}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  if (account) chownSync(draft, account.uid, account.gid)
  const passwordInput = await openPassword(`${folder}.password-input`, password, account)
  try {
    await runInitdb({ draft, binaries, account, passwordInput }, signal)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  } finally {
    closeSync(passwordInput)
  }
  await rename(draft, folder)
  syncFolder(dirname(folder))
}

/**
 * How the server is told where its cluster is: the working folder, entered before the account changes. So the folders
 * above may be closed to that account, as /root is (from PostgreSQL 16; older programs leave the folder and cannot return).
 */
export function clusterPath(folder: string, account: Account | undefined): string {
  return account !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : folder
}

/** Keeps the server's programs from settings meant for other servers (PGDATA, PGPORT) and from the user's locale. */
export const serverEnvironment = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }

async function runInitdb(
  {
    draft,
    binaries,
    account,
    passwordInput,
  }: { draft: string; binaries: Binaries; account: Account | undefined; passwordInput: number },
  signal: AbortSignal | undefined,
): Promise<void> {
  const child = spawn(
    join(binaries.folder, 'initdb'),
    [
      `--pgdata=${clusterPath(draft, account)}`,
      `--username=${databaseName}`,
      '--pwfile=/dev/stdin',
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
    ],
    {
      cwd: draft,
      env: serverEnvironment,
      stdio: [passwordInput, 'ignore', 'pipe'],
      ...account,
      ...(signal && { signal }),
    },
  )
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new StartRefused(`no cluster could be made in ${draft}: ${lastComplaint(complaint)}`)
}

/** A file that only its descriptor leads to: the account may read it through that, whatever folder it was in. */
async function openPassword(path: string, password: string, account: Account | undefined): Promise<number> {
  await writeFile(path, `${password}\n`, { mode: 0o600 })
  try {
    if (account) chownSync(path, account.uid, account.gid)
    return openSync(path, 'r')
  } finally {
    await rm(path)
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** What went wrong; after that it says what it cleans up. */
function lastComplaint(text: string): string {
  const lines = text.trim().split('\n')
  return lines.findLast((line) => /(error|FATAL|PANIC):/.test(line)) ?? lines.at(-1) ?? ''
}
