import type { Kysely } from 'kysely'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { channelTopics, requestsTopic } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Database } from '../../core/store/schema.ts'
import { openStore } from '../../core/store/store.ts'
import { until } from '../harness/balance/load.ts'
import { openSink, sendAndAwait, type Trip } from './end-to-end.ts'
import { pace } from './measure/pace.ts'
import { cpuOf } from './measure/process-usage.ts'
import { quantile } from './measure/statistics.ts'
import type { Roles } from './role-processes.ts'

/** What every message passes, in order; named for what it comes to at the end of each. */
const stages = [
  'accepted by the API',
  'sent to Kafka as a request',
  'written by the planner',
  'sent to Kafka as a delivery',
  'claimed by the worker',
  'arrived at the receiver',
] as const

export interface Stages {
  requestsPerSecond: number
  /** Milliseconds of each stage. */
  stages: { name: (typeof stages)[number]; p50: number; p99: number }[]
  /** Microseconds of CPU for each message, by process. */
  cpu: Record<string, number>
}

/** Where the time of messages goes that come at an even pace, by what the parts note of them, and what they cost. */
export async function measureStages(
  { api, planner, worker, install, postgres }: Roles,
  kafka: string,
  rate: { perSecond: number; seconds: number },
): Promise<Stages> {
  const pids = { api, planner, worker }
  const cpu = () => {
    const roles = Object.entries(pids).map(([role, { process }]) => [role, cpuOf(process.pid!).own] as const)
    const store = cpuOf(postgres.pid)
    const bench = cpuOf(process.pid)
    const own = { ...Object.fromEntries(roles), postgres: store.own + store.others }
    const known = Object.values(own).reduce((sum, each) => sum + each, 0)
    // All that the bench has started, and Kafka is the one that is left.
    return { ...own, kafka: bench.others - known, load: bench.own } as Record<string, number>
  }
  const sink = await openSink()
  const before = cpu()
  const trips = await pace(rate, () => sendAndAwait(api.url()!, sink))
  const after = cpu()
  await sink.close()
  const passed = await passingTimes({ kafka, databaseUrl: postgres.url, prefix: install.prefix }, trips)
  return {
    requestsPerSecond: rate.perSecond,
    stages: stages.map((name, index) => {
      const times = passed.map((at) => at[index + 1]! - at[index]!)
      return { name, p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
    }),
    cpu: Object.fromEntries(
      Object.entries(after).map(([name, microseconds]) => [
        name,
        (microseconds - before[name]!) / trips.length,
      ]),
    ),
  }
}

/** When each message began, and was through with each stage, in milliseconds since the epoch. */
async function passingTimes(
  { kafka, databaseUrl, prefix }: { kafka: string; databaseUrl: string; prefix: string },
  trips: readonly Trip[],
): Promise<number[][]> {
  const logger = createLogger({ level: 'ERROR' })
  const store = openStore({ url: databaseUrl, logger, poolSize: 1 })
  const broker = openKafkaBroker({ bootstrapServers: [kafka], clientId: 'bench', logger })
  try {
    const rows = new Map((await readRows(store.db)).map((row) => [row.recipient, row]))
    const produced = new Map<string, number>()
    const { main } = channelTopics(prefix, { namespace: 'default', name: 'hooks' }, '', [])
    for (const topic of [requestsTopic(prefix), main])
      await broker.follow(topic, ({ headers, timestamp }) => void produced.set(headers['ce_id']!, timestamp))
    const journeys = trips.map((trip) => ({ ...trip, ...rows.get(`webhook_url:${trip.url}`)! }))
    await until(async () => journeys.every(({ id }) => produced.has(id)), 'all deliveries are read again')
    return journeys.map(({ sentAt, acceptedAt, notification, createdAt, id, claimedAt, arrivedAt }) => [
      sentAt,
      acceptedAt,
      produced.get(notification)!,
      createdAt,
      produced.get(id)!,
      claimedAt,
      arrivedAt,
    ])
  } finally {
    await broker.close()
    await store.close()
  }
}

async function readRows(db: Kysely<Database>) {
  const rows = await db
    .selectFrom('deliveries')
    .innerJoin('notifications', 'notifications.id', 'deliveries.notification_id')
    .innerJoin('attempts', 'attempts.delivery_id', 'deliveries.id')
    .select(['deliveries.id', 'notification_id as notification', 'recipient'])
    .select(['accepted_at', 'deliveries.created_at', 'claimed_at'])
    .where('attempts.attempt', '=', 1)
    .execute()
  return rows.map(({ accepted_at, created_at, claimed_at, ...row }) => ({
    ...row,
    acceptedAt: accepted_at.getTime(),
    createdAt: created_at.getTime(),
    claimedAt: claimed_at.getTime(),
  }))
}
