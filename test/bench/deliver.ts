import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../harness/balance/load.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { type Backlog, openBacklog } from './backlog.ts'
import { cpuOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { type Spread, spreadOf } from './measure/statistics.ts'
import { describeSpread, table } from './measure/table.ts'
import { type BenchInstall, startInstall } from './role-processes.ts'
import { startServer } from './server-process.ts'
import type { Arrivals } from './servers/webhook-sink.ts'

const execute = promisify(execFile)

/** Deliveries in flight, and milliseconds after which the receiver answers. */
interface Condition {
  concurrency: number
  latency: number
}

interface Sample {
  /** Deliveries a second. */
  worker: number
  bare: number
  /** Microseconds of CPU for each delivery. */
  workerCpu: number
  bareCpu: number
  postgresCpu: number
}

type Figures = Record<keyof Sample | 'ratio' | 'cpuRatio', Spread>
type DeliverResult = (Condition & Figures)[]

const conditions: readonly Condition[] = [64, 512].flatMap((concurrency) =>
  [0, 20, 200].map((latency) => ({ concurrency, latency })),
)
/** Deliveries of a round for each second of a load: half of what the latency allows, and no more than a slow machine does. */
const perSecond = ({ concurrency, latency }: Condition) => Math.min((concurrency / latency) * 500, 1_000)
/** Rows that the ledger writes for a delivery: claimed and finished, in `deliveries` and in `attempts`. */
const ledgerRows = 4

const nameOf = ({ concurrency, latency }: Condition) => `deliver, ${concurrency} in flight, ${latency} ms`

/** Our worker with its ledger, from a backlog on Kafka, against a bare loop of undici: both to one receiver of webhooks. */
export const deliver: Section<DeliverResult> = {
  name: 'deliver',
  parts: [],

  async measure({ rounds, seconds, kafka, report }) {
    const address = await kafka()
    if (address === undefined) return undefined
    const sink = await startServer('webhook-sink.ts', [])
    const bench = await startInstall(address, [64, 512].map(webhookChannel).join('---'))
    const { install, postgres } = bench
    const samples = new Map<Condition, Sample[]>(conditions.map((condition) => [condition, []]))
    try {
      const backlog = await openBacklog({ kafka: address, databaseUrl: postgres.url, prefix: install.prefix })
      const workers = await startWorkers(bench)
      // The first round is not counted: it compiles the worker's code.
      for (let round = 0; round <= rounds; round++) {
        report(`deliver: round ${round} of ${rounds}`)
        for (const [condition, measured] of samples) {
          const count = Math.ceil(perSecond(condition) * seconds)
          const bare = await postBarely(sink.url, condition, count)
          const worker = workers.get(condition.concurrency)!
          const ours = await drain(
            { worker, backlog, sink: sink.url, postgres: postgres.pid },
            condition,
            count,
          )
          if (round > 0) measured.push({ ...bare, ...ours })
        }
      }
      await backlog.close()
    } finally {
      await bench.stop()
      await sink.stop()
    }
    return [...samples].map(([condition, measured]) => ({ ...condition, ...summarise(measured) }))
  },

  describe: (result) =>
    table([
      [
        'deliver: in flight, ms',
        'worker/s',
        'bare/s',
        'ratio',
        'worker us',
        'bare us',
        'PostgreSQL us',
        'ledger rows/s',
      ],
      ...result.map(({ concurrency, latency, ...figures }) => [
        `${concurrency}, ${latency}`,
        describeSpread(figures.worker, 0),
        describeSpread(figures.bare, 0),
        describeSpread(figures.ratio, 2),
        describeSpread(figures.workerCpu, 0),
        describeSpread(figures.bareCpu, 0),
        describeSpread(figures.postgresCpu, 0),
        (figures.worker.median * ledgerRows).toFixed(0),
      ]),
    ]),

  ratios: (result) =>
    Object.fromEntries(
      result.flatMap((condition) => [
        [`${nameOf(condition)}: to a bare loop`, condition.ratio],
        [`${nameOf(condition)}: CPU to a bare loop`, condition.cpuRatio],
      ]),
    ),
}

/** The workers of the channels, by their concurrency. */
async function startWorkers({ start }: BenchInstall): Promise<Map<number, RoleProcess>> {
  const workers = new Map<number, RoleProcess>()
  for (const concurrency of [64, 512]) {
    workers.set(concurrency, await start('worker', '--channel', `default/hooks-${concurrency}`))
  }
  return workers
}

async function postBarely(sink: string, { concurrency, latency }: Condition, count: number) {
  const run = randomUUID()
  const script = join(import.meta.dirname, 'clients', 'deliver.ts')
  const url = `${sink}/${run}/${latency}`
  const { stdout } = await execute(process.execPath, [script, url, ...[concurrency, count].map(String)])
  return { bare: rateOf(await arrivalsOf(sink, run)), bareCpu: Number(stdout) }
}

/** Fills the channel and looks how its worker empties it. CPU is counted from when the records begin to arrive. */
async function drain(
  parts: { worker: RoleProcess; backlog: Backlog; sink: string; postgres: number },
  { concurrency, latency }: Condition,
  count: number,
) {
  const { worker, backlog, sink, postgres } = parts
  const run = randomUUID()
  const filled = backlog.fill(`hooks-${concurrency}`, `${sink}/${run}/${latency}`, count)
  const arrivals = () => arrivalsOf(sink, run)
  const pid = worker.process.pid!
  const cpu = () => {
    const { own, others } = cpuOf(postgres)
    return { worker: cpuOf(pid).own, postgres: own + others }
  }
  await until(async () => (await arrivals()).count > 0, 'the first webhook has arrived')
  const before = cpu()
  const { count: first } = await arrivals()
  await filled
  await until(async () => (await arrivals()).count >= count, 'the last webhook has arrived')
  await until(() => backlog.drained(), 'all outcomes are recorded')
  const after = cpu()
  return {
    worker: rateOf(await arrivals()),
    workerCpu: (after.worker - before.worker) / (count - first),
    postgresCpu: (after.postgres - before.postgres) / (count - first),
  }
}

export async function arrivalsOf(sink: string, run: string): Promise<Arrivals> {
  const response = await fetch(`${sink}/${run}`)
  return (await response.json()) as Arrivals
}

/** A second. */
export const rateOf = ({ count, firstAt, lastAt }: Arrivals) => (count / (lastAt - firstAt)) * 1000

function summarise(samples: readonly Sample[]): Figures {
  const spread = (figure: (sample: Sample) => number) => spreadOf(samples.map(figure))
  return {
    worker: spread(({ worker }) => worker),
    bare: spread(({ bare }) => bare),
    ratio: spread(({ worker, bare }) => worker / bare),
    workerCpu: spread(({ workerCpu }) => workerCpu),
    bareCpu: spread(({ bareCpu }) => bareCpu),
    cpuRatio: spread(({ workerCpu, bareCpu }) => workerCpu / bareCpu),
    postgresCpu: spread(({ postgresCpu }) => postgresCpu),
  }
}

/** The channel `default/hooks-N`. @param concurrency N */
export const webhookChannel = (concurrency: number) => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: hooks-${concurrency}, namespace: default}
spec:
  type: webhook
  providers:
  - name: primary
    type: webhook
    webhook: {allowedNetworks: [127.0.0.0/8]}
    secretRef: {name: hooks}
    maxConcurrent: ${concurrency}
  delivery: {concurrency: ${concurrency}}
  topic: {partitions: 6}
`
