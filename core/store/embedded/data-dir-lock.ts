import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartRefused } from '../../settings/start-refused.ts'

/** Another process has the data folder. The message is one line that names the folder and that process. */
export class DataDirInUseError extends StartRefused {
  constructor(dataDir: string, pid: string | undefined) {
    super(`${dataDir} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}`)
    this.name = 'DataDirInUseError'
  }
}

export interface DataDirLock {
  release(): void
}

/**
 * Takes the data folder for this process, or throws DataDirInUseError. The lock is one that the kernel keeps and ends with
 * the process, however that ends, so there are no stale locks and no guesses about process ids. Node has no call for such locks, but
 * its SQLite has: an exclusive transaction holds one on its (empty) file. No other code may open that file: closing any descriptor
 * of it would end the lock (POSIX, fcntl).
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const pidFile = join(dataDir, 'lock.pid')
  const database = new DatabaseSync(join(dataDir, 'lock'))
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    const sqliteBusy = 5
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error
    throw new DataDirInUseError(dataDir, readPid(pidFile))
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return {
    release() {
      if (!database.isOpen) return
      rmSync(pidFile, { force: true })
      database.close()
    },
  }
}

function readPid(pidFile: string): string | undefined {
  try {
    return readFileSync(pidFile, 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}
