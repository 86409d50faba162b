import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { systemClock } from '../../core/clock.ts'
import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys, newNotificationId } from '../../core/notification/ids.ts'
import { channelTopics, requestsTopic } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { cancelNotification } from '../../core/store/cancellations.ts'
import { openLedger } from '../../workers/delivery/ledger/postgres-ledger.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { openProviders } from '../../workers/delivery/providers.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'
import type { Running } from '../../workers/running.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { renderOnLoop } from '../harness/fakes/render-on-loop.ts'
import { channelResource } from '../harness/fakes/resources.ts'
import { staticCatalog } from '../harness/fakes/static-catalog.ts'
import { type TestDatabase, testDatabase } from '../harness/postgres/postgres.ts'

/** What ends a delivery before its time, and what must not: planner and workers on a real database and the embedded broker. */

const prefix = 'p'
const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const keys = deriveInstallKeys(Buffer.alloc(32, 1))

let database: TestDatabase
let broker: EmbeddedBroker
let running: Running[] = []
let count = 0

beforeAll(async () => {
  database = await testDatabase()
  broker = await openEmbeddedBroker({ db: database.db, logger })
  await broker.admin.createTopics(installTopicSpecs(prefix, 1))
})
afterAll(async () => {
  await broker.close()
  await database.close()
})
let name: string
beforeEach(() => {
  name = `sms-${++count}`
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((part) => part.stop()))
})

const channel = (retryTiers: string[], times = 1): NotificationChannel =>
  channelResource(
    { name, namespace: 'default' },
    {
      type: 'sms',
      delivery: { retryTiers },
      providers: [
        {
          name: 'primary',
          type: 'sandbox',
          sandbox: { failures: [{ match: '+15550001', class: 'not_sent', times }] },
        },
      ],
    },
  )

const planner = () =>
  startPlanner({
    broker,
    catalog: staticCatalog({ channels: { [name]: 'sms' } }),
    store: openPlannerStore(database.db),
    keys,
    prefix,
    clock: systemClock,
    logger,
    metrics: createSourceMetrics(new Registry()),
  })

async function worker(spec: NotificationChannel): Promise<Running> {
  await broker.admin.createTopics(channelTopicSpecs(prefix, spec))
  return startDeliveryWorker({
    channel: spec,
    broker,
    catalog: staticCatalog({ channels: {} }),
    templates: renderOnLoop(),
    ledger: openLedger({ db: database.db, workerId: `w${++count}` }),
    providers: openProviders(spec, { readSecret: () => undefined, clock: systemClock, capture: undefined }),
    prefix,
    clock: systemClock,
    logger,
    metrics: createDeliveryMetrics(new Registry()),
    sourceMetrics: createSourceMetrics(new Registry()),
  })
}

async function send(phone: string): Promise<string> {
  const envelope: RequestEnvelope = {
    id: newNotificationId(Date.now(), Buffer.alloc(10, ++count)),
    body_hash: '00'.repeat(32),
    tenant: 'default',
    to: [{ phone }],
    channels: [name],
    content: { text: 'Hello' },
    data: {},
    metadata: {},
    accepted_at: new Date().toISOString(),
  }
  await broker.producer.produce([
    { topic: requestsTopic(prefix), key: envelope.id, ...encodeRequest(envelope) },
  ])
  return envelope.id
}

const deliveriesOf = (id: string) =>
  database.db
    .selectFrom('deliveries')
    .select(['id', 'status', 'attempt'])
    .where('notification_id', '=', id)
    .execute()
const becomes = (id: string, status: string) =>
  expect.poll(async () => (await deliveriesOf(id)).map((row) => row.status)).toEqual([status])
const lagOf = async (topic: string, group: string) => {
  const lags = await broker.admin.lag([{ group, topics: [topic] }])
  return lags.reduce((sum, { lag }) => sum + lag, 0)
}

describe('a retry topic whose tier the channel has no more', () => {
  it('is emptied, and what fails again goes to a tier of today', async () => {
    const before = channel(['3s'], 2)
    running = [await planner(), await worker(before)]
    const id = await send('+15550001')
    await becomes(id, 'retrying')
    await running.pop()!.stop()

    const after = channel(['1s'], 2)
    running.push(await worker(after))
    await becomes(id, 'simulated')
    const { main, retryGroup } = channelTopics(prefix, after.metadata, '', [])
    await expect.poll(() => lagOf(`${main}.retry.3s`, retryGroup)).toBe(0)
    await expect.poll(() => lagOf(`${main}.retry.1s`, retryGroup)).toBe(0)
    const attempts = await database.db
      .selectFrom('attempts')
      .select('outcome')
      .where('delivery_id', '=', (await deliveriesOf(id))[0]!.id)
      .orderBy('attempt')
      .execute()
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['not_sent', 'not_sent', 'sent'])
    const [{ end } = { end: 0 }] = await broker.admin.lag([
      { group: retryGroup, topics: [`${main}.retry.1s`] },
    ])
    expect(end).toBe(1)
  })
})

describe('a notification that is cancelled', () => {
  it('before it is planned is never sent', async () => {
    const spec = channel(['1s'])
    const id = await send('+15550100')
    await cancelNotification(database.db, 'default', id)
    running = [await planner(), await worker(spec)]
    await becomes(id, 'cancelled')
    const after = await send('+15550100')
    await becomes(after, 'simulated')
    expect(await deliveriesOf(id)).toMatchObject([{ status: 'cancelled', attempt: 0 }])
  })

  it('while it waits for a retry is not tried again, and its record is used up', async () => {
    const spec = channel(['2s'])
    running = [await planner(), await worker(spec)]
    const id = await send('+15550001')
    await becomes(id, 'retrying')
    await cancelNotification(database.db, 'default', id)
    await becomes(id, 'cancelled')
    const { main, retryGroup } = channelTopics(prefix, spec.metadata, '', [])
    await expect.poll(() => lagOf(`${main}.retry.2s`, retryGroup)).toBe(0)
    expect(await deliveriesOf(id)).toMatchObject([{ status: 'cancelled', attempt: 1 }])
  })
})
