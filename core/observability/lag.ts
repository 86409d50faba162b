import { Counter, Gauge, type Registry } from 'prom-client'
import { type Admin, BrokerError, type PartitionLag } from '../broker/broker.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Clock } from '../clock.ts'
import { channelTopics, plannerGroup, requestsTopic } from '../notification/topics.ts'
import type { Logger } from './logger.ts'

export interface LagOptions {
  registry: Registry
  admin: Pick<Admin, 'lag'>
  catalog: Pick<Catalog, 'channels'>
  /** Prefix of the install's topics. */
  prefix: string
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

type Subscription = Parameters<Admin['lag']>[0][number]

/** Milliseconds for which a reading serves: several scrapers cost the brokers no more than one. */
const freshFor = 5_000

/**
 * Registers the lag of every consumer group that Carillon has, read when somebody scrapes. A lag that cannot be read is absent from the
 * answer, and counted as an error: reported as 0 it would say that all is well.
 */
export function registerLag({ registry, admin, catalog, prefix, clock, logger }: LagOptions): void {
  const errors = new Counter({
    name: 'carillon_kafka_lag_errors_total',
    help: 'Readings of consumer lag that failed; their series are absent from carillon_kafka_consumer_lag.',
    registers: [registry],
    collect: refresh,
  })
  const gauge = new Gauge({
    name: 'carillon_kafka_consumer_lag',
    help: 'Records that a consumer group has not yet finished: end of the log less the committed offset.',
    labelNames: ['group', 'topic', 'partition'],
    registers: [registry],
    collect: refresh,
  })
  let last: { at: number; reading: Promise<void> } | undefined

  function refresh(): Promise<void> {
    const now = clock.monotonic()
    if (last === undefined || now - last.at >= freshFor) last = { at: now, reading: readAll() }
    return last.reading
  }

  async function readAll(): Promise<void> {
    const lags = await read(subscriptionsOf(catalog, prefix))
    gauge.reset()
    for (const { group, topic, partition, lag } of lags) gauge.set({ group, topic, partition }, lag)
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

function subscriptionsOf(catalog: Pick<Catalog, 'channels'>, prefix: string): Subscription[] {
  const channels = catalog.channels().flatMap(({ resource: { metadata, spec } }) => {
    const { main, group, retries, retryGroup } = channelTopics(
      prefix,
      metadata,
      spec.topic.name,
      spec.delivery.retryTiers,
    )
    const live = { group, topics: [main] }
    return retries.length === 0
      ? [live]
      : [live, { group: retryGroup, topics: retries.map(({ topic }) => topic) }]
  })
  return [{ group: plannerGroup(prefix), topics: [requestsTopic(prefix)] }, ...channels]
}
