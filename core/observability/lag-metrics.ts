import { Counter, Gauge, type Registry } from 'prom-client'
import { type Admin, partitionName } from '../broker/broker.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Clock } from '../clock.ts'
import { plannerGroup, requestsTopic } from '../notification/topics.ts'
import { EndHistory } from './end-history.ts'
import { channelSubscriptions, positionOf, readLag, type Subscription } from './lag-reader.ts'
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
    const { lags, due: dueLags, failures } = await readLag(admin, subscriptions, clock.now())
    for (const error of failures) {
      errors.inc()
      logger.warn({ err: error }, 'Lag cannot be read')
    }
    const retries = new Set(subscriptions.flatMap(({ delays }) => [...(delays?.keys() ?? [])]))
    for (const gauge of [records, seconds, due, stagnant]) gauge.reset()
    for (const reading of lags) {
      const { group, topic, partition, end, lag } = reading
      const labels = { group, topic, partition }
      const name = partitionName(reading)
      history.note(name, end, now)
      records.set(labels, lag)
      const position = positionOf(reading)
      seconds.set(labels, history.age(name, position, now) / 1000)
      const pending = retries.has(topic) ? dueLags?.get(name) : lag
      if (retries.has(topic) && pending !== undefined) due.inc({ group, topic }, pending)
      if (pending !== undefined) {
        stagnant.set(labels, stagnation.note(`${group}/${name}`, position, pending, now) / 1000)
      }
    }
  }
}

function subscriptionsOf(catalog: Pick<Catalog, 'channels'>, prefix: string): Subscription[] {
  const channels = catalog.channels().flatMap(({ resource }) => channelSubscriptions(prefix, resource))
  return [{ group: plannerGroup(prefix), topics: [requestsTopic(prefix)] }, ...channels]
}
