import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { systemClock } from '../../core/clock.ts'
import { type Heartbeat, heartbeatRecord } from '../../core/heartbeat/heartbeat.ts'
import { LiveWorkers } from '../../core/heartbeat/live-workers.ts'
import { startHeartbeats } from '../../core/heartbeat/writer.ts'
import { workersTopic } from '../../core/notification/topics.ts'
import { registerLiveWorkers } from '../../core/observability/live-workers-metric.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { staticCatalog } from '../harness/fakes/static-catalog.ts'
import { type TestDatabase, testDatabase } from '../harness/postgres/postgres.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const often = { interval: 20 }
const said: Omit<Heartbeat, 'worker' | 'interval'> = {
  namespace: 'shop',
  channel: 'email',
  rate: 0,
  slots: 50,
  busy: 0,
  capacity: null,
  providers: [],
}

let database: TestDatabase
let broker: EmbeddedBroker
let prefix: string
let count = 0
/** Milliseconds that the reader's clock is ahead. */
let ahead: number
const clock = { ...systemClock, now: () => Date.now() + ahead }

beforeAll(async () => {
  database = await testDatabase()
  broker = await openEmbeddedBroker({ db: database.db, logger })
})
afterAll(async () => {
  await broker.close()
  await database.close()
})
beforeEach(() => {
  prefix = `p${++count}`
  ahead = 0
})

const createTopics = () => broker.admin.createTopics(installTopicSpecs(prefix, 1))
const open = () => LiveWorkers.open({ broker, topic: workersTopic(prefix), clock, logger })
const start = (worker: string, channel = 'email') =>
  startHeartbeats({
    producer: broker.producer,
    topic: workersTopic(prefix),
    worker,
    describe: () => ({ ...said, channel }),
    clock: systemClock,
    random: Math.random,
    logger,
  })
const ids = (workers: LiveWorkers, name?: string) =>
  workers.list(name === undefined ? undefined : { namespace: 'shop', name })?.map(({ worker }) => worker)

describe('the workers that are alive', () => {
  it('are those that say so, by channel, from before and from then on', async () => {
    await createTopics()
    const first = start('w1')
    const workers = open()
    await expect.poll(() => ids(workers), often).toEqual(['w1'])
    const [second, other] = [start('w2'), start('w3', 'sms')]
    await expect.poll(() => ids(workers), often).toEqual(['w1', 'w2', 'w3'])
    expect(ids(workers, 'email')).toEqual(['w1', 'w2'])
    expect(ids(workers, 'sms')).toEqual(['w3'])
    expect(ids(workers, 'push')).toEqual([])
    const registry = new Registry()
    const catalog = staticCatalog({ namespace: 'shop', channels: { email: 'email', push: 'push' } })
    registerLiveWorkers({ registry, workers, catalog })
    const metrics = await registry.metrics()
    expect(metrics).toContain('carillon_workers_live{namespace="shop",channel="email"} 2')
    expect(metrics).toContain('carillon_workers_live{namespace="shop",channel="push"} 0')
    await first.stop()
    await expect.poll(() => ids(workers), often).toEqual(['w2', 'w3'])
    await Promise.all([second.stop(), other.stop()])
    await workers.close()
  })

  it('are not those that were killed: after three intervals without a word they are gone', async () => {
    await createTopics()
    const killed = heartbeatRecord(workersTopic(prefix), { ...said, worker: 'killed', interval: 60_000 })
    await broker.producer.produce([killed])
    const workers = open()
    await expect.poll(() => ids(workers), often).toEqual(['killed'])
    ahead = 100_000
    expect(ids(workers)).toEqual(['killed'])
    ahead = 181_000
    expect(ids(workers)).toEqual([])
    // Nor for one who only begins to read then.
    const later = open()
    await expect.poll(() => ids(later), often).toEqual([])
    await Promise.all([workers.close(), later.close()])
  })

  it('are not known while the topic cannot be read, which is not the same as nobody', async () => {
    const tries: (() => void)[] = []
    const later = { ...clock, after: (_: number, callback: () => void) => (tries.push(callback), () => {}) }
    const workers = LiveWorkers.open({ broker, topic: workersTopic(prefix), clock: later, logger })
    await expect.poll(() => tries.length, often).toBe(1)
    expect(workers.list()).toBeUndefined()
    await createTopics()
    tries[0]!()
    await expect.poll(() => workers.list(), often).toEqual([])
    await workers.close()
  })
})
