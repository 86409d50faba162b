import { existsSync, readdirSync, readlinkSync } from 'node:fs'

/** Ids of the processes that work inside a folder, as PostgreSQL does in its own. Only Linux can tell; elsewhere `undefined`. */
export function processesIn(folder: string): string[] | undefined {
  if (!existsSync('/proc/self/cwd')) return undefined
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && workingFolder(pid).startsWith(folder))
}

function workingFolder(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return '' // It has ended meanwhile, or is somebody else's.
  }
}
