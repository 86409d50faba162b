import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { type OpenCatalog, openCatalog } from '../../core/catalog/reader.ts'
import { systemClock } from '../../core/clock.ts'
import { encodeDelivery } from '../../core/notification/envelope.ts'
import { catalogTopic, channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Outcome } from '../../core/providers/provider.ts'
import { openLedger } from '../../workers/delivery/ledger/postgres-ledger.ts'
import { openRedisLimits } from '../../workers/delivery/limits/redis-limits.ts'
import type { Rate } from '../../workers/delivery/limits/shared-limits.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import type { OpenedProvider } from '../../workers/delivery/providers.ts'
import { type DeliveryWorker, startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { until } from '../harness/balance/load.ts'
import { renderOnLoop } from '../harness/fakes/render-on-loop.ts'
import { channelResource } from '../harness/fakes/resources.ts'
import { numberedId } from '../harness/ledger-rows.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { type TestDatabase, testDatabase } from '../harness/postgres/postgres.ts'
import { startRedis, type TestRedis } from '../harness/redis.ts'

/** Workers under back-pressure, on a real database and the embedded broker: outages, limits, and a Redis that dies. */

const prefix = 'p'
let database: TestDatabase
let broker: EmbeddedBroker
let catalog: OpenCatalog
let running: { worker: DeliveryWorker; registry: Registry; close: () => void }[] = []
let count = 0

beforeAll(async () => {
  database = await testDatabase()
  const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
  broker = await openEmbeddedBroker({ db: database.db, logger })
  await broker.admin.createTopics(installTopicSpecs(prefix, 1))
  catalog = await openCatalog({ broker, topic: catalogTopic(prefix), logger })
}, 300_000)
afterEach(async () => {
  await Promise.all(running.map(({ worker }) => worker.stop()))
  for (const { close } of running) close()
  running = []
})
afterAll(async () => {
  await catalog.close()
  await broker.close()
  await database.close()
})

type Send = (address: string) => Outcome | Promise<Outcome>

/** A channel of its own, with the provider that a test speaks for. */
async function makeChannel(options: { delivery?: object; rate?: Rate; send: Send; destination?: boolean }) {
  const name = `c${++count}`
  const channel = channelResource(
    { name, namespace: 'shop' },
    {
      type: 'sms',
      delivery: { retryTiers: ['1s'], concurrency: 16, ...options.delivery },
      providers: [{ name: 'primary', type: 'sandbox' }],
    },
  )
  await broker.admin.createTopics(channelTopicSpecs(prefix, channel))
  const sent: { address: string; at: number }[] = []
  const provider: OpenedProvider = {
    name: 'primary',
    timeout: 5_000,
    maxConcurrent: 16,
    rate: options.rate,
    idempotency: 'key',
    destination: options.destination ? (address) => address.split('/')[0] : undefined,
    provider: {
      async send(message) {
        const address = 'to' in message ? message.to : ''
        const outcome = await options.send(address)
        if (outcome.class === 'sent') sent.push({ address, at: performance.now() })
        return outcome
      },
      close: async () => {},
    },
  }

  async function start(redisUrl?: string) {
    const lines: string[] = []
    const registry = new Registry()
    const metrics = createDeliveryMetrics(registry)
    const logger = createLogger({ level: 'INFO', destination: { write: (line) => void lines.push(line) } })
    const sharedLimits =
      redisUrl === undefined
        ? undefined
        : openRedisLimits({
            url: redisUrl,
            prefix: `${prefix}-${process.pid}`,
            clock: systemClock,
            logger,
            shared: metrics.limits.rateLimitShared,
          })
    const worker = await startDeliveryWorker({
      broker,
      catalog,
      templates: renderOnLoop(),
      prefix,
      channel,
      ledger: openLedger({ db: database.db, workerId: `w${++count}` }),
      providers: [provider],
      sharedLimits,
      clock: systemClock,
      logger,
      metrics,
      sourceMetrics: createSourceMetrics(registry),
    })
    running.push({ worker, registry, close: () => sharedLimits?.close() })
    const metric = async (wanted: string) =>
      (await registry.getSingleMetric(wanted)!.get()).values.map(({ value }) => value)
    return { worker, metric, log: () => lines.join('') }
  }

  async function deliver(addresses: readonly string[], recipient = (address: string) => address) {
    const { main } = channelTopics(prefix, channel.metadata, '', [])
    const now = new Date().toISOString()
    const records = addresses.map((address) => {
      const id = numberedId(++count)
      const envelope = {
        id,
        notification_id: id,
        notification: 'ntf_1',
        tenant: 'shop',
        channel: name,
        channel_type: 'sms' as const,
        recipient: `phone:${recipient(address)}`,
        address,
        content: { text: 'Hello' },
        data: {},
        metadata: {},
        accepted_at: now,
      }
      return { topic: main, key: recipient(address), ...encodeDelivery(envelope) }
    })
    await broker.producer.produce(records)
  }
  const rows = () =>
    database.db.selectFrom('deliveries').selectAll().where('channel', '=', name).orderBy('id').execute()
  const statuses = async () => Object.groupBy(await rows(), ({ status }) => status)
  const all = (status: string, number: number) =>
    until(
      async () => (await rows()).filter((row) => row.status === status).length === number,
      `all ${status}`,
    )
  return { start, deliver, sent, rows, statuses, all }
}

const addresses = (number: number) => Array.from({ length: number }, (_, index) => `+1555${index}`)
const down: Outcome = { class: 'not_sent', code: 'ECONNREFUSED', detail: 'no connection' }

describe('an outage of the only provider', () => {
  it('stops the channel: attempts are not spent, nothing is retried elsewhere, and all arrives in order when it is over', async () => {
    let isDown = true
    let calls = 0
    const send = () => (calls++, isDown ? down : ({ class: 'sent' } as const))
    const { start, deliver, sent, rows, all } = await makeChannel({ send, delivery: { maxAttempts: 3 } })
    const { worker, metric } = await start()
    const recipients = addresses(20)
    const messages = recipients.flatMap((address) => [1, 2, 3, 4, 5].map((turn) => `${address}/${turn}`))
    await deliver(messages, (address) => address.split('/')[0]!)
    await until(() => worker.providerHealth()[0]!.circuit !== 'closed', 'the circuit opens')
    await until(() => calls >= 7, 'it has been probed')
    expect(worker.providerHealth()).toMatchObject([{ provider: 'primary', lastFailure: 'not_sent' }])
    expect(await metric('carillon_worker_capacity')).toEqual([expect.toSatisfy((value) => value <= 1)])
    expect(worker.ready()).toBe(true)
    isDown = false
    await all('sent', messages.length)
    await until(() => worker.providerHealth()[0]!.circuit === 'closed', 'the circuit closes')
    // Only what opened the circuit cost an attempt, and so went through a retry topic.
    const retried = (await rows()).filter(({ attempt }) => attempt > 1)
    expect(retried.length).toBeLessThanOrEqual(5)
    const late = new Set(retried.map(({ recipient }) => recipient))
    for (const recipient of recipients.filter((address) => !late.has(`phone:${address}`))) {
      const order = sent
        .map(({ address }) => address)
        .filter((address) => address.startsWith(`${recipient}/`))
      expect(order).toEqual([1, 2, 3, 4, 5].map((turn) => `${recipient}/${turn}`))
    }
  }, 300_000)
})

describe('a bad destination', () => {
  it('is deferred without spending attempts, and stops no other', async () => {
    let isDown = true
    let calls = 0
    const send = (address: string) => {
      if (!address.startsWith('bad')) return { class: 'sent' } as const
      calls++
      return isDown ? down : ({ class: 'sent' } as const)
    }
    const { start, deliver, rows, all } = await makeChannel({
      send,
      destination: true,
      delivery: { maxAttempts: 3 },
    })
    const { metric } = await start()
    await deliver(addresses(40).map((address) => `bad/${address}`))
    await until(() => calls >= 5, 'it failed')
    await deliver(addresses(60).map((address) => `good${address}/`))
    await all('sent', 60)
    expect(await metric('carillon_destinations_open')).toEqual([1])
    expect(calls).toBeLessThan(40)
    isDown = false
    await all('sent', 100)
    expect((await rows()).every(({ attempt, uncounted }) => attempt - uncounted <= 2)).toBe(true)
  }, 300_000)
})

describe('the limit of a recipient', () => {
  it('skips what is above it, says so, and counts a repeated record once', async () => {
    const delivery = { perRecipientLimit: { limit: 3, interval: '1h' } }
    const { start, deliver, sent, rows, all } = await makeChannel({
      send: () => ({ class: 'sent' }),
      delivery,
    })
    const { metric } = await start()
    await deliver(
      [1, 2, 3, 4, 5].map((turn) => `+1555/${turn}`),
      () => '+1555',
    )
    await deliver(['+1666/1'], () => '+1666')
    await all('sent', 4)
    await all('skipped', 2)
    const skipped = (await rows()).filter(({ status }) => status === 'skipped')
    expect(skipped.map(({ reason }) => reason)).toEqual(['throttled', 'throttled'])
    expect(sent.map(({ address }) => address).toSorted()).toEqual([
      '+1555/1',
      '+1555/2',
      '+1555/3',
      '+1666/1',
    ])
    expect(await metric('carillon_throttled_total')).toEqual([2])
  }, 300_000)
})

describePart('redis', (path) => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis(path)
  }, 300_000)
  afterAll(() => redis?.stop())

  it('two workers share one limit; without Redis each keeps to its share; nothing is lost, and it is shared again', async () => {
    const rate = { limit: 50, interval: 1_000 }
    const { start, deliver, sent, all } = await makeChannel({ send: () => ({ class: 'sent' }), rate })
    const workers = [await start(redis.url), await start(redis.url)]
    const shared = async (value: number) => {
      const values = await Promise.all(workers.map(({ metric }) => metric('carillon_ratelimit_shared')))
      return values.every(([present]) => present === value)
    }
    await until(() => shared(1), 'both are connected')
    await deliver(addresses(600))

    /** The most that the limit allows between the first and the last of them, wherever its windows begin. */
    const allowed = (from: number, to: number, slack = 0) =>
      rate.limit * (Math.floor((sent[to - 1]!.at - sent[from]!.at) / rate.interval) + 2 + slack)
    await until(() => sent.length >= 250, 'the first part is sent')
    expect(250).toBeLessThanOrEqual(allowed(0, 250))
    await redis.kill()
    await until(() => shared(0), 'both have noticed')
    const before = sent.length
    await until(() => sent.length >= before + 100, 'they go on by themselves')
    await redis.restart()
    await until(() => shared(1), 'they share again')
    await all('sent', 600)
    expect(600).toBeLessThanOrEqual(allowed(0, 600, 2))
    expect(new Set(sent.map(({ address }) => address)).size).toBe(600)
    expect(sent).toHaveLength(600)
    for (const { log } of workers) {
      // On a slow machine it may be out of reach more often; each change is said once.
      const said = log().match(/Redis is out of reach|shared through Redis/g)!
      expect(said.length).toBeGreaterThanOrEqual(3)
      expect(said.filter((line, index) => line === said[index - 1])).toEqual([])
    }
  }, 300_000)

  it('a worker starts and delivers without it, and tells nobody the password when it is refused', async () => {
    const { start, deliver, all } = await makeChannel({
      send: () => ({ class: 'sent' }),
      rate: { limit: 1_000, interval: 1_000 },
    })
    const nobody = await start('redis://someone:s3cret@127.0.0.1:1')
    const refused = new URL(redis.url)
    refused.password = 's3cret'
    refused.username = 'nobody'
    const stranger = await start(refused.href)
    await deliver(addresses(50))
    await all('sent', 50)
    for (const { log } of [nobody, stranger]) {
      await until(() => log().includes('Redis is out of reach'), 'it says so')
      expect(log()).not.toContain('s3cret')
      expect(log()).not.toContain('shared through Redis')
    }
  }, 300_000)

  it('a recipient has one limit over all workers, and a repeat of a delivery counts once', async () => {
    const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
    const open = () =>
      openRedisLimits({
        url: redis.url,
        prefix: `${prefix}-${process.pid}`,
        clock: systemClock,
        logger,
        shared: { set: () => {} },
      })
    const [one, two] = [open(), open()]
    await until(() => one.reachable() && two.reachable(), 'both are connected')
    const rate = { limit: 2, interval: 60_000 }
    expect(await one.admit('ada', '1', rate)).toBe(true)
    expect(await two.admit('ada', '1', rate)).toBe(true)
    expect(await two.admit('ada', '2', rate)).toBe(true)
    expect(await one.admit('ada', '3', rate)).toBe(false)
    expect(await one.admit('bob', '3', rate)).toBe(true)
    one.close()
    two.close()
  }, 300_000)

  it('a window that lost its memory learns from the workers what was used', async () => {
    const limits = openRedisLimits({
      url: redis.url,
      prefix: `${prefix}-${process.pid}`,
      clock: systemClock,
      logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
      shared: { set: () => {} },
    })
    await until(() => limits.reachable(), 'it is connected')
    const rate = { limit: 10, interval: 3_600_000 }
    const [one, two] = [limits.tokens('day', rate), limits.tokens('day', rate)]
    expect(await one.lease({ tokens: 4, unshared: 0, used: 0 })).toMatchObject({ tokens: 4 })
    expect(await two.lease({ tokens: 4, unshared: 0, used: 0 })).toMatchObject({ tokens: 4 })
    await redis.kill()
    await redis.restart()
    await until(() => limits.reachable(), 'it is connected again')
    await until(
      () =>
        one.lease({ tokens: 0, unshared: 0, used: 4 }).then(
          () => true,
          () => false,
        ),
      'it answers',
    )
    expect(await two.lease({ tokens: 9, unshared: 1, used: 5 })).toMatchObject({ tokens: 1 })
    const full = await one.lease({ tokens: 1, unshared: 0, used: 4 })
    expect(full.tokens).toBe(0)
    expect(full.wait).toBeGreaterThan(3_500_000)
    limits.close()
  }, 300_000)
})
