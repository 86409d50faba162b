import { setTimeout as sleep } from 'node:timers/promises'
import type { RoleProcess } from '../harness/process/role.ts'
import { type EndToEnd, measureEndToEnd } from './end-to-end.ts'
import { cpuOf, residentOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { describeSpread, table } from './measure/table.ts'
import { startRoles } from './role-processes.ts'

interface IdleRole {
  role: string
  /** Percent of one processor, without a request. */
  cpuPercent: number
  /** MiB of memory. */
  resident: number
}

/** API, planner and worker as processes of their own, on Kafka and PostgreSQL. */
interface RolesResult {
  idle: IdleRole[]
  endToEnd: EndToEnd[]
}

/** Seconds until the work of the start is done. */
const settling = 10
const idleSeconds = 20

export const roles: Section<RolesResult> = {
  name: 'roles',
  parts: [],
  ratios: () => ({}),

  async measure({ rounds, seconds, kafka, report }) {
    const address = await kafka()
    if (address === undefined) return undefined
    report('API, planner and worker: idle, then end to end')
    const { api, planner, worker, stop } = await startRoles(address)
    try {
      const idle = await measureIdle({ api, planner, worker })
      const endToEnd = await measureEndToEnd({
        api: api.url()!,
        requestsPerSecond: [200, 500],
        rounds,
        seconds,
      })
      return { idle, endToEnd }
    } finally {
      await stop()
    }
  },

  describe({ idle, endToEnd }) {
    const idleRows = idle.map(({ role, cpuPercent, resident }) => [
      role,
      cpuPercent.toFixed(2),
      resident.toFixed(0),
    ])
    const latencyRows = endToEnd.map(({ requestsPerSecond, p50, p99 }) => [
      `${requestsPerSecond}/s`,
      describeSpread(p50, 1),
      describeSpread(p99, 1),
    ])
    return [
      table([['idle', '% of a processor', 'MiB'], ...idleRows]),
      table([['end to end', 'p50 ms', 'p99 ms'], ...latencyRows]),
    ].join('\n\n')
  },
}

async function measureIdle(processes: Readonly<Record<string, RoleProcess>>): Promise<IdleRole[]> {
  const pids = Object.entries(processes).map(([role, { process }]) => [role, process.pid!] as const)
  await sleep(settling * 1000)
  const before = pids.map(([, pid]) => cpuOf(pid).own)
  await sleep(idleSeconds * 1000)
  return pids.map(([role, pid], index) => ({
    role,
    cpuPercent: (cpuOf(pid).own - before[index]!) / 1e6 / idleSeconds / 0.01,
    resident: residentOf(pid) / 1024 ** 2,
  }))
}
