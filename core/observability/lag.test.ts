import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { type Admin, BrokerError } from '../broker/broker.ts'
import type { CatalogEntry } from '../catalog/catalog.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import { registerLag } from './lag.ts'
import { createLogger } from './logger.ts'

const channels = ['email', 'sms'].map((name) => ({
  revision: '1',
  resource: {
    metadata: { namespace: 'shop', name },
    spec: { topic: { name: '' }, delivery: { retryTiers: ['30s'] } },
  },
})) as unknown as CatalogEntry<NotificationChannel>[]

function setUp(lag: Admin['lag']) {
  const registry = new Registry()
  const clock = { time: 0, monotonic: () => clock.time }
  const logger = createLogger({ level: 'ERROR', destination: { write() {} } })
  registerLag({ registry, admin: { lag }, catalog: { channels: () => channels }, prefix: 'p', clock, logger })
  const series = async () =>
    (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#') && line)
  return { clock, series }
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
    const { clock, series } = setUp(async (subscriptions) => {
      if (down) throw new BrokerError('unavailable', 'no broker')
      return answer(subscriptions)
    })
    expect(await series()).toHaveLength(6)
    down = true
    clock.time = 5_000
    expect(await series()).toEqual(['carillon_kafka_lag_errors_total 1'])
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
