import { existsSync, mkdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StartRefused } from '../../core/settings/start-refused.ts'

/** Megabytes that a new database takes with its first log files (48 when measured), and some for what comes then. */
const neededMegabytes = 100

/**
 * Makes the data folder where it is missing. Throws StartRefused, which names the setting, where it cannot be made or written, or has no room
 * for a new database. @param freeMegabytes of the disk that the folder is on
 */
export function prepareDataDir(folder: string, freeMegabytes = freeMegabytesAt): void {
  attempt(folder, 'made', () => makeFolder(folder))
  const probe = join(folder, `write-test-${process.pid}`)
  attempt(folder, 'written', () => {
    try {
      writeFileSync(probe, 'x', { flush: true })
    } finally {
      rmSync(probe, { force: true })
    }
  })
  if (existsSync(join(folder, 'postgres'))) return
  const free = freeMegabytes(folder)
  if (free >= neededMegabytes) return
  const room = `has ${free} MB free, and a new database needs ${neededMegabytes}`
  throw new StartRefused(`CARILLON_DATA_DIR: ${JSON.stringify(folder)} ${room}`)
}

function freeMegabytesAt(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return Math.floor((bavail * bsize) / 1_000_000)
}

function attempt(folder: string, what: string, action: () => void): void {
  try {
    action()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartRefused(`CARILLON_DATA_DIR: ${JSON.stringify(folder)} cannot be ${what}: ${code}`, 1, {
      cause: error,
    })
  }
}

/** Step by step: Node's own way of making a folder with those above it never ends in a place such as /proc, which is there and takes none. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return
    const parent = dirname(folder)
    if (code !== 'ENOENT' || existsSync(parent)) throw error
    makeFolder(parent)
    mkdirSync(folder, { mode: 0o700 })
  }
}
