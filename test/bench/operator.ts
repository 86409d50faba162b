import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../harness/balance/load.ts'
import { type OperatorCluster, startOperatorCluster } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import { part } from '../harness/parts/parts.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { cpuOf, residentOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { table } from './measure/table.ts'

/** One operator with many channels and templates, on a real control plane and a real Kafka. */
interface OperatorResult {
  channels: number
  templates: number
  /** Seconds from the first object to the last that is Ready. */
  allReady: number
  /** Requests of the operator to the API server, for each object, until then. */
  requestsPerObject: number
  /** CPU seconds of the operator until then. */
  cpuSeconds: number
  /** MiB of memory of the operator. */
  resident: number
  /** Percent of one processor when nothing changes. */
  idleCpuPercent: number
  /** Requests that change something, leases left out, in the same time. */
  idleWrites: number
  /** Seconds for the lag of all channels. */
  lagSweep: number
}

const size = { channels: 500, templates: 2_000 }
const patience = 1_800_000
/** Seconds: more than one resync of a channel. */
const idleSeconds = 150

export const operator: Section<OperatorResult> = {
  name: 'operator',
  parts: [],
  ratios: () => ({}),

  async measure({ report }) {
    const [kubernetes, kafka] = [part('kubernetes'), part('kafka')]
    if (!kubernetes.available || !kafka.available || kafka.path.includes(':')) return undefined
    report(`The operator: ${size.channels} channels, ${size.templates} templates`)
    const parts = { kubernetes: kubernetes.path, kafka: kafka.path }
    const cluster = await startOperatorCluster(parts)
    const process = cluster.startOperator()
    try {
      await process.ready()
      return await measure(cluster, process)
    } finally {
      await cluster.stop()
    }
  },

  describe: (result) =>
    table([
      ['operator', ''],
      [
        `${result.channels} channels and ${result.templates} templates Ready after`,
        `${result.allReady.toFixed(0)} s`,
      ],
      ['requests to the API server per object', result.requestsPerObject.toFixed(1)],
      ['CPU of the operator until then', `${result.cpuSeconds.toFixed(1)} s`],
      ['memory', `${result.resident.toFixed(0)} MiB`],
      ['CPU when nothing changes', `${result.idleCpuPercent.toFixed(1)} % of a processor`],
      ['writes when nothing changes', String(result.idleWrites)],
      ['lag of all channels', `${result.lagSweep.toFixed(2)} s`],
    ]),
}

async function measure(cluster: OperatorCluster, operator: RoleProcess): Promise<OperatorResult> {
  const pid = operator.process.pid!
  const cpuSeconds = () => cpuOf(pid).own / 1e6
  const begun = { at: performance.now(), cpu: cpuSeconds() }
  const objects = [...manifests(size.channels, channel), ...manifests(size.templates, template)]
  await cluster.apply(objects.join(''))
  await until(async () => (await notReady(cluster)) === 0, 'every object is Ready', patience)
  const allReady = (performance.now() - begun.at) / 1000
  const busy = await requests(cluster)
  const cpu = cpuSeconds() - begun.cpu

  await sleep(60_000)
  const quiet = { cpu: cpuSeconds(), writes: (await requests(cluster)).writes }
  await sleep(idleSeconds * 1000)
  return {
    ...size,
    allReady,
    requestsPerObject: busy.all / (size.channels + size.templates),
    cpuSeconds: cpu,
    resident: residentOf(pid) / 1024 ** 2,
    idleCpuPercent: ((cpuSeconds() - quiet.cpu) / idleSeconds) * 100,
    idleWrites: (await requests(cluster)).writes - quiet.writes,
    lagSweep: await metric(operator, 'carillon_scaler_sweep_seconds'),
  }
}

function manifests(count: number, manifest: (name: string) => string): string[] {
  return Array.from({ length: count }, (_, index) => manifest(`bench-${index}`))
}

const channel = (name: string) => sandboxChannel(name, 'topic: {partitions: 1}')
const template = (name: string) => `---
apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: ${name}, namespace: shop}
spec:
  content: {sms: {text: "Order {{ data.order }} of ${name}"}, email: {subject: "{{ data.order }}", text: "shipped"}}
  samples: [{name: basic, data: {order: "7"}, expect: {sms: {text: "Order 7 of ${name}"}}}]
`

async function notReady({ control }: OperatorCluster): Promise<number> {
  await sleep(2_000)
  const status = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
  const { stdout } = await control.kubectl(['get', 'nch,ntpl', '-n', 'shop', '-o', `jsonpath=${status}`])
  return stdout
    .split('\n')
    .slice(0, size.channels + size.templates)
    .filter((line) => line !== 'True').length
}

interface AuditEvent {
  userAgent?: string
  verb: string
  objectRef?: { resource: string }
}

async function requests({ control }: OperatorCluster): Promise<{ all: number; writes: number }> {
  const count = { all: 0, writes: 0 }
  for await (const line of createInterface(createReadStream(control.auditLog))) {
    const { userAgent, verb, objectRef } = JSON.parse(line) as AuditEvent
    if (!userAgent?.startsWith('carillon-operator') || objectRef?.resource === 'leases') continue
    count.all++
    if (!['get', 'list', 'watch'].includes(verb)) count.writes++
  }
  return count
}

async function metric(role: RoleProcess, name: string): Promise<number> {
  const text = await fetch(`${role.health()}/metrics`).then((response) => response.text())
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
}
