import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { kinds } from '../../core/catalog/kinds.ts'
import { publishCatalog } from '../../core/catalog/publisher.ts'
import { type OpenCatalog, openCatalog } from '../../core/catalog/reader.ts'
import { systemClock } from '../../core/clock.ts'
import { createEventMetrics } from '../../core/events/publisher.ts'
import { encodeRequest, header, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys, formatDeliveryId, newNotificationId } from '../../core/notification/ids.ts'
import {
  catalogTopic,
  channelTopics,
  eventsTopic,
  requestsDeadLettersTopic,
  requestsTopic,
} from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { openLedger } from '../../workers/delivery/ledger/postgres-ledger.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { openProviders } from '../../workers/delivery/providers.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'
import type { Running } from '../../workers/running.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { createSweeperMetrics } from '../../workers/sweeper/metrics.ts'
import { Sweeper } from '../../workers/sweeper/sweeper.ts'
import { channelResource } from '../harness/fakes/resources.ts'
import { type TestDatabase, testDatabase } from '../harness/postgres/postgres.ts'

/** The way of a request through planner and workers, on a real database and the embedded broker. */

const prefix = 'p'
const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const keys = deriveInstallKeys(Buffer.alloc(32, 1))
const channels = [
  {
    type: 'sms',
    delivery: { retryTiers: ['1s'], maxAttempts: 3 },
    providers: [
      {
        name: 'primary',
        type: 'sandbox',
        sandbox: {
          failures: [
            { match: '+15550001', class: 'not_sent', times: 1 },
            { match: '+15550002', class: 'not_sent' },
            { match: '+15550003', class: 'rejected', code: '21211' },
            { match: '+15550004', class: 'not_sent', times: 1 },
            { match: '+15550005', class: 'not_sent', times: 1 },
          ],
        },
      },
    ],
  },
  { type: 'inapp', providers: [{ name: 'primary', type: 'inapp' }] },
].map((spec) => channelResource({ name: spec.type, namespace: 'shop' }, spec))

let database: TestDatabase
let broker: EmbeddedBroker
let catalog: OpenCatalog
let templates: TemplateThreads
let running: Running[] = []
let registry: Registry
let count = 0

async function startAll(): Promise<void> {
  registry = new Registry()
  const metrics = createDeliveryMetrics(registry)
  const sourceMetrics = createSourceMetrics(registry)
  const { db } = database
  const shared = { broker, catalog, templates, prefix, logger, clock: systemClock }
  running = await Promise.all([
    startPlanner({ ...shared, store: openPlannerStore(db), keys, metrics: sourceMetrics }),
    ...channels.map((channel) =>
      startDeliveryWorker({
        ...shared,
        channel,
        ledger: openLedger({ db, workerId: `w${++count}` }),
        providers: openProviders(channel, {
          readSecret: () => undefined,
          clock: systemClock,
          capture: undefined,
        }),
        metrics,
        sourceMetrics,
      }),
    ),
  ])
}
const stopAll = () => Promise.all(running.map((part) => part.stop()))

beforeAll(async () => {
  database = await testDatabase()
  broker = await openEmbeddedBroker({ db: database.db, logger })
  await broker.admin.createTopics([
    ...installTopicSpecs(prefix, 1),
    ...channels.flatMap((channel) => channelTopicSpecs(prefix, channel)),
  ])
  await publishCatalog({
    producer: broker.producer,
    topic: catalogTopic(prefix),
    source: 'folder',
    resources: channels,
    published: new Map(),
  })
  catalog = await openCatalog({ broker, topic: catalogTopic(prefix), logger })
  templates = new TemplateThreads({ logger })
  await startAll()
})
afterAll(async () => {
  await stopAll()
  await templates.close()
  await catalog.close()
  await broker.close()
  await database.close()
})

function request(change: Partial<RequestEnvelope>): RequestEnvelope {
  return {
    id: newNotificationId(Date.now(), Buffer.alloc(10, ++count)),
    body_hash: '00'.repeat(32),
    tenant: 'shop',
    to: [{ phone: '+15550100' }],
    channels: ['sms'],
    content: { subject: 'Hi', text: 'Hello' },
    data: {},
    metadata: {},
    accepted_at: new Date().toISOString(),
    ...change,
  }
}

async function send(change: Partial<RequestEnvelope>): Promise<string> {
  const envelope = request(change)
  await broker.producer.produce([
    { topic: requestsTopic(prefix), key: envelope.id, ...encodeRequest(envelope) },
  ])
  return envelope.id
}

const deliveriesOf = (id: string) =>
  database.db.selectFrom('deliveries').selectAll().where('notification_id', '=', id).execute()
const outcomesOf = async (id: string) => {
  const rows = await database.db
    .selectFrom('attempts')
    .innerJoin('deliveries', 'deliveries.id', 'attempts.delivery_id')
    .select('attempts.outcome')
    .where('notification_id', '=', id)
    .orderBy('attempts.attempt')
    .execute()
  return rows.map(({ outcome }) => outcome)
}
const settled = (id: string, status: string) =>
  expect.poll(async () => (await deliveriesOf(id)).map((row) => row.status)).toEqual([status])

async function readAll(topic: string): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  const follower = await broker.follow(topic, (record) => records.push(record))
  await follower.close()
  return records
}
const newSweeper = () =>
  new Sweeper({
    db: database.db,
    admin: broker.admin,
    producer: broker.producer,
    keys,
    catalog,
    prefix,
    retention: 86_400_000,
    clock: systemClock,
    logger,
    events: createEventMetrics(new Registry()),
    metrics: createSweeperMetrics(new Registry()),
  })
const waitsForTopic = { status: 'retrying', reason: 'topic_unavailable' }
const topicsOfSms = channelTopics(prefix, { namespace: 'shop', name: 'sms' }, '', ['1s'])

describe('the way of a delivery', () => {
  it('ends where the provider took it', async () => {
    const id = await send({})
    await settled(id, 'simulated')
    expect(await outcomesOf(id)).toEqual(['sent'])
  })

  it('comes back from the retry topic when it is due, and then succeeds', async () => {
    const started = Date.now()
    const id = await send({ to: [{ phone: '+15550001' }] })
    await settled(id, 'simulated')
    expect(Date.now() - started).toBeGreaterThanOrEqual(1_000)
    expect(await outcomesOf(id)).toEqual(['not_sent', 'sent'])
  })

  it('is dead-lettered with its last words when the attempts are spent', async () => {
    const id = await send({ to: [{ phone: '+15550002' }] })
    await settled(id, 'dead_lettered')
    expect(await outcomesOf(id)).toEqual(['not_sent', 'not_sent', 'not_sent'])
    const [row] = await deliveriesOf(id)
    expect(row).toMatchObject({ reason: 'retries_exhausted', attempt: 3 })
    await expect
      .poll(async () => (await readAll(topicsOfSms.deadLetters)).at(-1))
      .toMatchObject({
        headers: { [header.reason]: 'retries_exhausted', ce_id: row!.id, [header.attempt]: '3' },
      })
  })

  it('fails for good when the provider refuses', async () => {
    const id = await send({ to: [{ phone: '+15550003' }] })
    await settled(id, 'failed')
    expect(await deliveriesOf(id)).toMatchObject([{ reason: 'provider_rejected', attempt: 1 }])
  })

  it('puts an in-app message in the inbox exactly once, however often its record comes', async () => {
    const id = await send({ to: [{ user_id: 'ada' }], channels: ['inapp'] })
    await settled(id, 'sent')
    const { main } = channelTopics(prefix, { namespace: 'shop', name: 'inapp' }, '', [])
    const [record] = await readAll(main)
    await broker.producer.produce(
      Array.from({ length: 5 }, () => ({
        topic: main,
        key: record!.key,
        value: record!.value,
        headers: record!.headers,
      })),
    )
    const after = await send({ to: [{ user_id: 'ada' }], channels: ['inapp'] })
    await settled(after, 'sent')
    const rows = await database.db.selectFrom('inbox').select('title').where('user_id', '=', 'ada').execute()
    expect(rows).toHaveLength(2)
  })

  it('answers for what cannot be sent: no address, no channel', async () => {
    const nobody = await send({ to: [{ user_id: 'nobody' }] })
    await settled(nobody, 'skipped')
    expect(await deliveriesOf(nobody)).toMatchObject([{ reason: 'no_address' }])
    // Long enough ago that the channel is not taken to be on its way.
    const accepted_at = new Date(Date.now() - 60_000).toISOString()
    const gone = await send({ channels: ['fax'], accepted_at })
    await settled(gone, 'failed')
    expect(await deliveriesOf(gone)).toMatchObject([{ reason: 'channel_deleted' }])
  })

  it('is told change by change, without the address', async () => {
    const [retried, skipped] = [
      await send({ to: [{ phone: '+15550004' }] }),
      await send({ to: [{ user_id: 'nobody' }] }),
    ]
    const eventsOf = async (notification: string) => {
      const ids = (await deliveriesOf(notification)).map(({ id }) => formatDeliveryId(id))
      const records = (await readAll(eventsTopic(prefix))).filter(({ key }) => ids.includes(key!))
      for (const { value } of records) expect(value!.toString()).not.toContain('+1555')
      return records.map(({ headers }) => headers['ce_id']!.split('/').slice(1).join('/'))
    }
    const eventually = (notification: string) =>
      expect.poll(() => eventsOf(notification).then((events) => events.toSorted()))
    await eventually(retried).toEqual(['0/0/queued', '0/1/retrying', '0/2/simulated'])
    await eventually(skipped).toEqual(['0/0/skipped'])
  })

  it('sets aside what nobody can read, and goes on', async () => {
    const headers = { [header.version]: '1' }
    await broker.producer.produce([
      { topic: requestsTopic(prefix), key: 'x', value: Buffer.from('not json'), headers },
      { topic: topicsOfSms.main, key: 'x', value: Buffer.from('not json'), headers },
    ])
    for (const topic of [requestsDeadLettersTopic(prefix), topicsOfSms.deadLetters]) {
      await expect
        .poll(async () => (await readAll(topic)).map(({ value }) => value?.toString()))
        .toContain('not json')
    }
    await settled(await send({}), 'simulated')
  })

  it('sets aside a request that the database refuses, and plans those that came with it', async () => {
    const [bad, good] = await Promise.all([send({ metadata: { text: 'NUL \u0000' } }), send({})])
    await settled(good, 'simulated')
    expect(await deliveriesOf(bad)).toEqual([])
    await expect
      .poll(async () =>
        (await readAll(requestsDeadLettersTopic(prefix))).map(({ headers }) => headers['ce_id']),
      )
      .toContain(bad)
  })

  it('lets no channel whose topic is missing keep the others waiting, and sends once the topic is there', async () => {
    const early = kinds.NotificationChannel.parse({
      ...channels[0],
      metadata: { name: 'early', namespace: 'shop' },
      spec: { ...channels[0]!.spec, topic: { ...channels[0]!.spec.topic, name: 'made-later' } },
    })
    await publishCatalog({
      producer: broker.producer,
      topic: catalogTopic(prefix),
      source: 'folder',
      resources: [...channels, early],
      published: catalog.published(),
    })
    await expect.poll(() => catalog.channel('shop', 'early')).toBeDefined()
    const [stuck, free] = await Promise.all([send({ channels: ['early'] }), send({})])
    await settled(free, 'simulated')
    await expect.poll(() => deliveriesOf(stuck)).toHaveLength(1)
    await broker.admin.createTopics(channelTopicSpecs(prefix, early))
    const sweeper = newSweeper()
    const written = async () => {
      await sweeper.sweep()
      return (await readAll('made-later')).map(({ headers }) => headers['ce_id'])
    }
    await expect.poll(written).toEqual((await deliveriesOf(stuck)).map(({ id }) => id))
  })

  it('lets no missing topic of retries or dead letters keep others waiting, and goes on once it is there', async () => {
    const { retries, deadLetters } = topicsOfSms
    await broker.admin.deleteTopics([retries[0]!.topic, deadLetters])
    const waiting = [
      await send({ to: [{ phone: '+15550005' }] }),
      await send({ to: [{ phone: '+15550005' }] }),
    ]
    const free = await send({})
    for (const id of waiting) await expect.poll(() => deliveriesOf(id)).toMatchObject([waitsForTopic])
    await settled(free, 'simulated')
    const [record] = await readAll(topicsOfSms.main)
    await broker.producer.produce([{ ...record!, value: Buffer.from('not json either') }])
    const held = () => database.db.selectFrom('held_records').select('topic').orderBy('topic').execute()
    await expect
      .poll(held)
      .toEqual([deadLetters, retries[0]!.topic, retries[0]!.topic].map((topic) => ({ topic })))
    const done = async () =>
      (await broker.admin.lag([{ group: topicsOfSms.group, topics: [topicsOfSms.main] }])).every(
        ({ lag }) => lag === 0,
      )
    await expect.poll(done).toBe(true)
    await stopAll()
    await startAll()
    await settled(await send({}), 'simulated')
    await broker.admin.createTopics(channels.flatMap((channel) => channelTopicSpecs(prefix, channel)))
    await newSweeper().sweep()
    for (const id of waiting) await settled(id, 'simulated')
    expect((await readAll(deadLetters)).map(({ value }) => value?.toString())).toEqual(['not json either'])
    expect(await held()).toEqual([])
  }, 300_000)

  it('plans a fan-out that is larger than what is written at once', async () => {
    const to = Array.from({ length: 100 }, (_, index) => ({
      phone: `+1556${String(index).padStart(4, '0')}`,
    }))
    const ids = await Promise.all(
      Array.from({ length: 4 }, () => send({ to, content: { text: 'x'.repeat(60_000) } })),
    )
    const states = async (id: string) =>
      (await deliveriesOf(id)).filter(({ status }) => status === 'simulated').length
    for (const id of ids) await expect.poll(() => states(id)).toBe(100)
  })

  it('goes on after a restart with what was accepted meanwhile, and sends nothing twice', async () => {
    await stopAll()
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) => send({ to: [{ phone: `+1555020${index}` }] })),
    )
    await startAll()
    for (const id of ids) await settled(id, 'simulated')
    for (const id of ids) expect(await outcomesOf(id)).toEqual(['sent'])
  })

  it('holds the partition of a record that only a newer version can read, and loses nothing of it', async () => {
    const envelope = request({})
    const { value, headers } = encodeRequest(envelope)
    const [position] = await broker.producer.produce([
      { topic: requestsTopic(prefix), key: 'newer', value, headers: { ...headers, [header.version]: '2' } },
    ])
    const behind = request({})
    await broker.producer.produce([{ topic: requestsTopic(prefix), key: 'newer', ...encodeRequest(behind) }])
    const { partition, offset } = position!
    const lag = async () =>
      (await broker.admin.lag([{ group: `${prefix}.planner`, topics: [requestsTopic(prefix)] }])).find(
        (entry) => entry.partition === partition,
      )
    await expect.poll(async () => (await lag())?.lag).toBe(2)
    await expect
      .poll(() => registry.getSingleMetricAsString('carillon_partition_held'))
      .toContain(`partition="${partition}"} 1`)
    await stopAll()
    expect((await lag())?.committed ?? 0).toBeLessThanOrEqual(offset)
    expect(await deliveriesOf(behind.id)).toEqual([])
    await startAll()
  })
})
