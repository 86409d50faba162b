import { Counter, Gauge, type Registry } from 'prom-client'
import { type Admin, BrokerError, type PartitionLag, type TopicPartition } from '../broker/broker.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Clock } from '../clock.ts'
import { channelTopics, plannerGroup, requestsTopic } from '../notification/topics.ts'
import { parseDuration } from '../resources/duration.ts'
import { EndHistory } from './end-history.ts'
import type { Logger } from './logger.ts'
import { Stagnation } from './stagnation.ts'

export interface LagOptions {
  registry: Registry
  admin: Pick<Admin, 'lag' | 'offsetsAt'>
  catalog: Pick<Catalog, 'channels'>
  /** Prefix of the install's topics. */
  prefix: string
  clock: Clock
  logger: Logger
}

interface Subscription {
  group: string
  topics: readonly string[]
  /** Of retry topics: milliseconds that a record waits before it is due, by topic. */
  delays?: ReadonlyMap<string, number>
}

const byPartition = ['group', 'topic', 'partition'] as const

/** Milliseconds for which a reading serves: several scrapers cost the brokers no more than one. */
const freshFor = 5_000

/**
 * Registers the lag of every consumer group that Carillon has, read when somebody scrapes. A lag that cannot be read is absent from the
 * answer, and counted as an error: reported as 0 it would say that all is well.
 */
export function registerLag({ registry, admin, catalog, prefix, clock, logger }: LagOptions): void {
  const registers = [registry]
  const errors = new Counter({
    name: 'carillon_kafka_lag_errors_total',
    help: 'Readings of consumer lag that failed; their series are absent.',
    registers,
    collect: refresh,
  })
  const records = new Gauge({
    name: 'carillon_kafka_consumer_lag',
    help: 'Records that a consumer group has not yet finished: end of the log less the committed offset.',
    labelNames: byPartition,
    registers,
    collect: refresh,
  })
  const seconds = new Gauge({
    name: 'carillon_kafka_consumer_lag_seconds',
    help: 'Age of the oldest record that a consumer group has not yet finished; from what was seen since the start of this process, so at least this.',
    labelNames: byPartition,
    registers,
    collect: refresh,
  })
  const due = new Gauge({
    name: 'carillon_kafka_due_lag',
    help: 'Records of a retry topic that are due and not yet finished; the rest of its lag is only waiting.',
    labelNames: ['group', 'topic'],
    registers,
    collect: refresh,
  })
  const stagnant = new Gauge({
    name: 'carillon_kafka_offset_stagnant_seconds',
    help: 'How long the committed offset has not moved although there are records to work on; 0 while it moves or there are none.',
    labelNames: byPartition,
    registers,
    collect: refresh,
  })
  const history = new EndHistory()
  const stagnation = new Stagnation()
  let last: { at: number; reading: Promise<void> } | undefined

  function refresh(): Promise<void> {
    const now = clock.monotonic()
    if (last === undefined || now - last.at >= freshFor) last = { at: now, reading: readAll(now) }
    return last.reading
  }

  async function readAll(now: number): Promise<void> {
    const subscriptions = subscriptionsOf(catalog, prefix)
    const lags = await read(subscriptions)
    const delays = new Map(subscriptions.flatMap((subscription) => [...(subscription.delays ?? [])]))
    const dueLags = await readDue(delays, lags)
    for (const gauge of [records, seconds, due, stagnant]) gauge.reset()
    for (const reading of lags) {
      const { group, topic, partition, end, lag } = reading
      const labels = { group, topic, partition }
      const name = nameOf(reading)
      history.note(name, end, now)
      records.set(labels, lag)
      const position = positionOf(reading)
      seconds.set(labels, history.age(name, position, now) / 1000)
      const pending = delays.has(topic) ? dueLags?.get(name) : lag
      if (delays.has(topic) && pending !== undefined) due.inc({ group, topic }, pending)
      if (pending !== undefined) {
        stagnant.set(labels, stagnation.note(`${group}/${name}`, position, pending, now) / 1000)
      }
    }
  }

  /**
   * Records that are due, by partition of the retry topics: every record of one waits equally long, so what is due is what was written
   * before then. `undefined` when it cannot be read.
   */
  async function readDue(
    delays: ReadonlyMap<string, number>,
    lags: readonly PartitionLag[],
  ): Promise<Map<string, number> | undefined> {
    const waiting = lags.filter(({ topic }) => delays.has(topic))
    const topics = [...new Set(waiting.map(({ topic }) => topic))]
    const now = clock.now()
    try {
      const positions = await admin.offsetsAt(
        topics.map((topic) => ({ topic, timestamp: now - delays.get(topic)! })),
      )
      const dueUpTo = new Map(positions.map((position) => [nameOf(position), position.offset]))
      return new Map(
        waiting.map((lag) => {
          const name = nameOf(lag)
          const from = positionOf(lag)
          return [name, Math.max(0, (dueUpTo.get(name) ?? from) - from)]
        }),
      )
    } catch (error) {
      errors.inc()
      logger.warn({ err: error }, 'Due lag cannot be read')
      return undefined
    }
  }

  /** A topic that does not exist, of one new channel say, hides no lag but its own: the rest is read without it. */
  async function read(subscriptions: readonly Subscription[]): Promise<PartitionLag[]> {
    try {
      return await admin.lag(subscriptions)
    } catch (error) {
      const separable = error instanceof BrokerError && error.code === 'unknown_topic'
      if (separable && subscriptions.length > 1) {
        const middle = subscriptions.length >> 1
        const halves = [subscriptions.slice(0, middle), subscriptions.slice(middle)]
        return (await Promise.all(halves.map(read))).flat()
      }
      errors.inc()
      logger.warn({ err: error, groups: subscriptions.map(({ group }) => group) }, 'Lag cannot be read')
      return []
    }
  }
}

/** Where the group reads next: nothing before the beginning is there any more. */
function positionOf({ committed, beginning }: PartitionLag): number {
  return Math.max(committed ?? beginning, beginning)
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

function subscriptionsOf(catalog: Pick<Catalog, 'channels'>, prefix: string): Subscription[] {
  const channels = catalog.channels().flatMap(({ resource: { metadata, spec } }) => {
    const { main, group, retries, retryGroup } = channelTopics(
      prefix,
      metadata,
      spec.topic.name,
      spec.delivery.retryTiers,
    )
    const live = { group, topics: [main] }
    if (retries.length === 0) return [live]
    const delays = new Map(retries.map(({ tier, topic }) => [topic, parseDuration(tier)]))
    return [live, { group: retryGroup, topics: [...delays.keys()], delays }]
  })
  return [{ group: plannerGroup(prefix), topics: [requestsTopic(prefix)] }, ...channels]
}
