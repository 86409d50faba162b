import type { Kysely } from 'kysely'
import { Registry } from 'prom-client'
import { registerDeadLetters } from '../api-server/observability/dead-letter-metric.ts'
import { createApiMetrics } from '../api-server/observability/metrics.ts'
import { systemClock } from '../core/clock.ts'
import { registerLag } from '../core/observability/lag-metrics.ts'
import { registerLiveWorkers } from '../core/observability/live-workers-metric.ts'
import { createLogger } from '../core/observability/logger.ts'
import type { Database } from '../core/store/schema.ts'
import { createAutoscalerMetrics } from '../operator/autoscaler/metrics.ts'
import { createControllerMetrics } from '../operator/runtime/metrics.ts'
import { createDeliveryMetrics } from '../workers/delivery/metrics.ts'
import { createSourceMetrics } from '../workers/source-metrics.ts'
import { createSweeperMetrics } from '../workers/sweeper/metrics.ts'

/** Which ones there are depends on the system and on Node, so that they are not listed. */
const everywhere =
  '`carillon_build_info` says what runs. The default metrics of prom-client, with `carillon_` before their names, tell of the process and of Node: `carillon_process_resident_memory_bytes`, `carillon_process_cpu_seconds_total`, `carillon_nodejs_eventloop_lag_p99_seconds` and the others.'

const operators =
  'Of `carillon operator`, of the replica that leads. Controllers and their queues (`notificationchannel`, `notificationtemplate`, `release`) have the names that controller-runtime and client-go give them, so that dashboards made for those show ours too.'

/** What collecting would read. Nothing is collected here: only the names are. */
const unused = {
  admin: { lag: async () => [], offsetsAt: async () => [] },
  catalog: { channels: () => [] },
  workers: { list: () => undefined },
  db: {} as Kysely<Database>,
  logger: createLogger({ level: 'ERROR' }),
}

/** The page of every metric, read from the registries that the processes fill, so that no name on it can be wrong. */
export function metricsReference(): string {
  const sections = [
    section('API', 'Of `carillon api`, at `/metrics` of its own address.', (registry) => {
      createApiMetrics(registry)
      registerLag({ ...unused, registry, prefix: '', clock: systemClock })
      registerLiveWorkers({ ...unused, registry })
      registerDeadLetters({ ...unused, registry, clock: systemClock })
    }),
    section('Consumers', 'Of `carillon planner` and `carillon worker`.', createSourceMetrics),
    section('Workers', 'Of `carillon worker`.', createDeliveryMetrics),
    section('Sweeper', 'Of `carillon planner`, in which it runs.', createSweeperMetrics),
    section('Operator', operators, (registry) => {
      createControllerMetrics(registry, systemClock)
      createAutoscalerMetrics(registry)
    }),
  ]
  return [
    '# Metrics',
    'Each process answers `/metrics` in the text format of Prometheus. Durations are in seconds. A label is never a recipient, an id or an address, so the number of series is bounded by channels, topics and their partitions. `make run` has all of them in one process.',
    ...sections,
    `## Every process\n\n${everywhere}`,
  ].join('\n\n')
}

/** What prom-client's own types leave out of a metric. */
interface Described {
  name: string
  help: string
  labelNames: readonly string[]
  constructor: { name: string }
}

function section(title: string, where: string, fill: (registry: Registry) => unknown): string {
  const registry = new Registry()
  fill(registry)
  const metrics = registry.getMetricsAsArray() as unknown as Described[]
  const rows = metrics
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, help, labelNames, constructor: { name: type } }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type.toLowerCase()} | ${labels} | ${help.replaceAll('|', '\\|')} |`
    })
  return [
    `## ${title}\n\n${where}\n`,
    '| name | type | labels | what it says |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')
}
