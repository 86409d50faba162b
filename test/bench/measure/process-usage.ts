import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in USER_HZ, which is 100 on every platform that Node supports. */
const microsecondsPerTick = 10_000

/** Microseconds of CPU since the start of each: `own` of the process, `others` of those that it started, such as PostgreSQL's, also when they have ended. */
export interface ProcessCpu {
  own: number
  others: number
}

/** Reads /proc, so Linux only. */
export function cpuOf(pid: number): ProcessCpu {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readStat)
  const own = processes.find((process) => process.pid === pid)
  if (own === undefined) throw new Error(`process ${pid} has ended`)
  const childrenOf = Map.groupBy(processes, ({ parent }) => parent)
  const sumBelow = (parent: number): number =>
    (childrenOf.get(parent) ?? []).reduce(
      (sum, child) => sum + child.cpu + child.ended + sumBelow(child.pid),
      0,
    )
  return { own: own.cpu, others: own.ended + sumBelow(pid) }
}

/** One process, and what its children used that have ended. */
interface Stat {
  pid: number
  parent: number
  cpu: number
  ended: number
}

function readStat(name: string): Stat[] {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'latin1')
    // The name of the program is in brackets and may hold anything, so the fields are counted from the last one on: see proc(5).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [own, ended] = [11, 13].map(
      (at) => (Number(fields[at]) + Number(fields[at + 1])) * microsecondsPerTick,
    )
    return [{ pid: Number(name), parent: Number(fields[1]), cpu: own!, ended: ended! }]
  } catch {
    // It ended meanwhile.
    return []
  }
}

/** Bytes of memory that a process holds now. */
export function residentOf(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kibibytes) * 1024
}
