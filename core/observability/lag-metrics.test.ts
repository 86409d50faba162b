import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { type Admin, BrokerError } from '../broker/broker.ts'
import type { CatalogEntry } from '../catalog/catalog.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import { registerLag } from './lag-metrics.ts'
import { createLogger } from './logger.ts'

const channels = ['email', 'sms'].map((name) => ({
  revision: '1',
  resource: {
    metadata: { namespace: 'shop', name },
    spec: { topic: { name: '' }, delivery: { retryTiers: ['30s'] } },
  },
})) as unknown as CatalogEntry<NotificationChannel>[]

/** Of the seven records of every retry topic, these many are due. */
const dueRecords = 3
const now = Date.parse('2026-01-01T00:00:00Z')

function setUp(lag: Admin['lag']) {
  const registry = new Registry()
  const clock = { time: 0, monotonic: () => clock.time, now: () => now + clock.time }
  const offsetsAt: Admin['offsetsAt'] = async (points) =>
    points.map(({ topic, timestamp }) => {
      expect(timestamp).toBe(clock.now() - 30_000)
      return { topic, partition: 0, offset: dueRecords }
    })
  const logger = createLogger({ level: 'ERROR', destination: { write() {} } })
  registerLag({
    registry,
    admin: { lag, offsetsAt },
    catalog: { channels: () => channels },
    prefix: 'p',
    clock,
    logger,
  })
  const all = async () =>
    (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && line)
  const only = async (name: string) => (await all()).filter((line) => line.startsWith(`${name}{`))
  /** The errors, and the lag in records. */
  const series = async () => (await all()).filter((line) => /lag_errors_total |consumer_lag\{/.test(line))
  return { clock, all, only, series }
}

const answer: Admin['lag'] = async (subscriptions) =>
  subscriptions.flatMap(({ group, topics }) =>
    topics.map((topic) => ({ group, topic, partition: 0, beginning: 0, end: 7, committed: null, lag: 7 })),
  )

describe('consumer lag', () => {
  it('is reported for the planner and for every topic that a channel consumes', async () => {
    const { series } = setUp(answer)
    expect(await series()).toEqual([
      'carillon_kafka_lag_errors_total 0',
      'carillon_kafka_consumer_lag{group="p.planner",topic="p.requests",partition="0"} 7',
      'carillon_kafka_consumer_lag{group="p.shop.email",topic="p.shop.email",partition="0"} 7',
      'carillon_kafka_consumer_lag{group="p.shop.email.retry",topic="p.shop.email.retry.30s",partition="0"} 7',
      'carillon_kafka_consumer_lag{group="p.shop.sms",topic="p.shop.sms",partition="0"} 7',
      'carillon_kafka_consumer_lag{group="p.shop.sms.retry",topic="p.shop.sms.retry.30s",partition="0"} 7',
    ])
  })

  it('is told in seconds too: how old the oldest unfinished record is', async () => {
    let end = 7
    const { clock, only } = setUp(async (subscriptions) =>
      (await answer(subscriptions)).map((lag) => ({ ...lag, end, committed: 7, lag: end - 7 })),
    )
    const seconds = async () => (await only('carillon_kafka_consumer_lag_seconds'))[0]
    expect(await seconds()).toMatch(/topic="p.requests",partition="0"} 0$/)
    end = 17
    clock.time = 10_000
    await seconds()
    clock.time = 20_000
    expect(await seconds()).toMatch(/} 20$/)
  })

  it('shows a position that stands still with work behind it', async () => {
    const { clock, only } = setUp(answer)
    await only('carillon_kafka_offset_stagnant_seconds')
    clock.time = 60_000
    expect((await only('carillon_kafka_offset_stagnant_seconds'))[0]).toMatch(
      /topic="p.requests",partition="0"} 60$/,
    )
  })

  it('of retry topics is due only as far as their records have waited', async () => {
    const { only } = setUp(answer)
    expect(await only('carillon_kafka_due_lag')).toEqual([
      `carillon_kafka_due_lag{group="p.shop.email.retry",topic="p.shop.email.retry.30s"} ${dueRecords}`,
      `carillon_kafka_due_lag{group="p.shop.sms.retry",topic="p.shop.sms.retry.30s"} ${dueRecords}`,
    ])
  })

  it('is read at most every five seconds', async () => {
    let reads = 0
    const { clock, series } = setUp((subscriptions) => {
      reads++
      return answer(subscriptions)
    })
    await Promise.all([series(), series()])
    clock.time = 4_999
    await series()
    expect(reads).toBe(1)
    clock.time = 5_000
    await series()
    expect(reads).toBe(2)
  })

  it('is absent while it cannot be read, and counted', async () => {
    let down = false
    const { clock, all, series } = setUp(async (subscriptions) => {
      if (down) throw new BrokerError('unavailable', 'no broker')
      return answer(subscriptions)
    })
    expect(await series()).toHaveLength(6)
    down = true
    clock.time = 5_000
    expect(await all()).toEqual(['carillon_kafka_lag_errors_total 1'])
    down = false
    clock.time = 10_000
    expect(await series()).toHaveLength(6)
  })

  it('of a topic that does not exist hides no other', async () => {
    const { series } = setUp(async (subscriptions) => {
      if (subscriptions.some(({ group }) => group === 'p.shop.email'))
        throw new BrokerError('unknown_topic', 'p.shop.email does not exist')
      return answer(subscriptions)
    })
    const lines = await series()
    expect(lines[0]).toBe('carillon_kafka_lag_errors_total 1')
    expect(lines.slice(1).map((line) => /topic="([^"]+)"/.exec(line)?.[1])).toEqual([
      'p.requests',
      'p.shop.email.retry.30s',
      'p.shop.sms',
      'p.shop.sms.retry.30s',
    ])
  })
})
