import { setTimeout as sleep } from 'node:timers/promises'
import type { RoleProcess } from '../harness/process/role.ts'
import { type EndToEnd, measureEndToEnd } from './end-to-end.ts'
import { cpuOf, residentOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { describeSpread, table } from './measure/table.ts'
import { startRoles } from './role-processes.ts'
import { measureStages, type Stages } from './stages.ts'

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
  stages: Stages[]
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
    const processes = await startRoles(address)
    const { api, planner, worker, stop } = processes
    try {
      const idle = await measureIdle({ api, planner, worker })
      const endToEnd = await measureEndToEnd({
        api: api.url()!,
        requestsPerSecond: [200, 500],
        rounds,
        seconds,
      })
      const stages = []
      for (const perSecond of [50, 500])
        stages.push(await measureStages(processes, address, { perSecond, seconds }))
      return { idle, endToEnd, stages }
    } finally {
      await stop()
    }
  },

  describe({ idle, endToEnd, stages }) {
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
      ...stages.map(describeStages),
    ].join('\n\n')
  },
}

function describeStages({ requestsPerSecond, stages, cpu }: Stages): string {
  const stageRows = stages.map(({ name, p50, p99 }) => [name, p50.toFixed(1), p99.toFixed(1)])
  const cpuRows = Object.entries(cpu).map(([name, microseconds]) => [name, microseconds.toFixed(0)])
  return [
    table([[`until, at ${requestsPerSecond}/s`, 'p50 ms', 'p99 ms'], ...stageRows]),
    table([['', 'CPU us/message'], ...cpuRows]),
  ].join('\n')
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
