import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../observability/logger.ts'

/**
 * Ends a server that outlived the process that started it. The caller holds the lock of the data folder, so whatever still runs on
 * the cluster is nobody's. Also removes a `postmaster.pid` whose number now belongs to some other program, because PostgreSQL would
 * take that program for a server.
 */
export async function endOrphan(clusterFolder: string, logger: Logger): Promise<void> {
  const pidFile = join(clusterFolder, 'postmaster.pid')
  const pid = readServerPid(pidFile)
  if (pid === undefined || !isAlive(pid)) return
  const isServer = servesCluster(pid, clusterFolder)
  if (isServer === false) rmSync(pidFile, { force: true })
  if (isServer !== true) return
  logger.info({ pid }, 'Ending the PostgreSQL that an interrupted run left behind')
  // Fast shutdown, then immediate (recovery follows at the start), then none of its own choice.
  for (const [signal, milliseconds] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 10_000],
    ['SIGKILL', 10_000],
  ] as const) {
    signalServer(pid, signal)
    const deadline = performance.now() + milliseconds
    while (performance.now() < deadline) {
      if (servesCluster(pid, clusterFolder) !== true) return
      await delay(20)
    }
  }
  throw new Error(`PostgreSQL (process ${pid}) does not end`)
}

function readServerPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10)
    return pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}

/** One that has ended meanwhile needs no signal. */
function signalServer(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether a process is a server on this cluster; undefined where we may not know. A server works in its cluster's folder. */
function servesCluster(pid: number, clusterFolder: string): boolean | undefined {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterFolder)
    const command = execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' })
    return command.includes('postgres') && command.includes(clusterFolder)
  } catch (error) {
    // Without a working folder it has ended, though its number may stay taken until its parent, or init, asks for it.
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM' ? undefined : false
  }
}
