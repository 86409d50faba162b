import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Broker, Consumer } from '../../core/broker/broker.ts'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { publishCatalog } from '../../core/catalog/publisher.ts'
import { type OpenCatalog, openCatalog } from '../../core/catalog/reader.ts'
import { systemClock } from '../../core/clock.ts'
import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys, newNotificationId } from '../../core/notification/ids.ts'
import { catalogTopic, channelTopics, requestsTopic } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Outcome } from '../../core/providers/provider.ts'
import { countDeadLetters } from '../../core/store/dead-letters.ts'
import { openHeldStore } from '../../core/store/held-store.ts'
import {
  cancelReplay,
  createReplay,
  type NewReplay,
  readReplay,
  resumeReplay,
} from '../../core/store/replays.ts'
import { openLedger } from '../../workers/delivery/ledger/postgres-ledger.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'
import { takeJob } from '../../workers/replayer/jobs.ts'
import { startReplayer } from '../../workers/replayer/replayer.ts'
import { runReplay } from '../../workers/replayer/run.ts'
import type { Running } from '../../workers/running.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { HeldRelease } from '../../workers/sweeper/release.ts'
import { renderOnLoop } from '../harness/fakes/render-on-loop.ts'
import { channelResource } from '../harness/fakes/resources.ts'
import { type TestDatabase, testDatabase } from '../harness/postgres/postgres.ts'

/** Dead letters and their way back, through planner, workers and replayer, on a real database and the embedded broker. */

const prefix = 'p'
const tenant = 'shop'
const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const keys = deriveInstallKeys(Buffer.alloc(32, 1))
const channel = channelResource(
  { name: 'sms', namespace: tenant },
  {
    type: 'sms',
    delivery: { retryTiers: ['1s'], maxAttempts: 1 },
    providers: [{ name: 'primary', type: 'sandbox' }],
  },
)
const topics = channelTopics(prefix, { namespace: tenant, name: 'sms' }, '', ['1s'])

let database: TestDatabase
let broker: EmbeddedBroker
let catalog: OpenCatalog
let running: Running[] = []
let count = 0
/** What the provider answers, and how often it was called for each delivery since the test began. */
let answer: (address: string) => Outcome
let calls: Map<string, number>

const works = (): Outcome => ({ class: 'sent' })
/** Not `not_sent`: that would open the circuit breaker, which keeps what waits from becoming dead letters. */
const refuses = (): Outcome => ({ class: 'poison', detail: 'cannot take it' })

beforeAll(async () => {
  database = await testDatabase()
  broker = await openEmbeddedBroker({ db: database.db, logger })
  await broker.admin.createTopics([...installTopicSpecs(prefix, 1), ...channelTopicSpecs(prefix, channel)])
  const topic = catalogTopic(prefix)
  const { producer } = broker
  await publishCatalog({ producer, topic, source: 'folder', resources: [channel], published: new Map() })
  catalog = await openCatalog({ broker, topic, logger })
  const metrics = createSourceMetrics(new Registry())
  const shared = { broker, catalog, templates: renderOnLoop(), prefix, logger, clock: systemClock }
  running = await Promise.all([
    startPlanner({ ...shared, store: openPlannerStore(database.db), keys, metrics }),
    startDeliveryWorker({
      ...shared,
      channel,
      ledger: openLedger({ db: database.db, workerId: 'w' }),
      providers: [
        {
          name: 'primary',
          timeout: 5_000,
          idempotency: 'key',
          maxConcurrent: 50,
          provider: {
            async send(message, { deliveryUuid }) {
              calls.set(deliveryUuid, (calls.get(deliveryUuid) ?? 0) + 1)
              return answer(message.to)
            },
            close: async () => {},
          },
        },
      ],
      metrics: createDeliveryMetrics(new Registry()),
      sourceMetrics: metrics,
    }),
  ])
})
afterAll(async () => {
  await Promise.all(running.map((part) => part.stop()))
  await catalog.close()
  await broker.close()
  await database.close()
})
beforeEach(() => {
  calls = new Map()
})

const replayOptions = () => ({
  broker,
  db: database.db,
  catalog,
  prefix,
  clock: systemClock,
  logger,
  metrics: createSourceMetrics(new Registry()),
})
const replayer = () => startReplayer(replayOptions())

/** The broker as a process sees it that dies at its second write: its consumer leaves, and nothing it waits for ever comes. */
function dyingBroker(dies: 'before' | 'after'): { doomed: Broker; died: Promise<void> } {
  let writes = 0
  let consumer: Consumer
  const { promise: died, resolve } = Promise.withResolvers<void>()
  const doomed: Broker = {
    admin: broker.admin,
    consumer: (options) => (consumer = broker.consumer(options)),
    follow: (topic, onRecord) => broker.follow(topic, onRecord),
    close: async () => {},
    producer: {
      async produce(records) {
        if (++writes < 2) return broker.producer.produce(records)
        if (dies === 'after') await broker.producer.produce(records)
        await consumer.stop()
        resolve()
        return new Promise(() => {})
      },
    },
  }
  return { doomed, died }
}

/** Sends so many messages while the provider cannot take them, and waits until each delivery has ended so. Answers their ids. */
async function failDeliveries(howMany: number, change: Partial<RequestEnvelope> = {}): Promise<string[]> {
  answer = refuses
  const requests = Array.from({ length: howMany }, (): RequestEnvelope => {
    const number = ++count
    return {
      id: newNotificationId(Date.now(), Buffer.alloc(10, number)),
      body_hash: '00'.repeat(32),
      tenant,
      to: [{ phone: `+1555${String(number).padStart(7, '0')}` }],
      channels: ['sms'],
      content: { text: 'Hello' },
      data: {},
      metadata: {},
      accepted_at: new Date().toISOString(),
      ...change,
    }
  })
  await broker.producer.produce(
    requests.map((request) => ({ topic: requestsTopic(prefix), key: request.id, ...encodeRequest(request) })),
  )
  const ids = requests.map(({ id }) => id)
  const rows = () =>
    database.db
      .selectFrom('deliveries')
      .select(['id', 'status'])
      .where('notification_id', 'in', ids)
      .execute()
  await expect
    .poll(async () => (await rows()).filter(({ status }) => status === 'dead_lettered').length)
    .toBe(howMany)
  return (await rows()).map(({ id }) => id)
}

/** The same, and each is on the topic of dead letters. */
async function makeDeadLetters(howMany: number, change: Partial<RequestEnvelope> = {}): Promise<string[]> {
  const written = await failDeliveries(howMany, change)
  // The record follows the ledger.
  await expect
    .poll(async () => {
      const there = new Set<string | undefined>()
      const follower = await broker.follow(topics.deadLetters, ({ headers }) => there.add(headers['ce_id']))
      await follower.close()
      return written.every((id) => there.has(id))
    })
    .toBe(true)
  calls.clear()
  return written
}

const ask = (change: Partial<NewReplay> = {}) =>
  createReplay(database.db, { tenant, filter: {}, rate: 1_000, maxRecords: null, ...change })
const read = async (id: string) => (await readReplay(database.db, tenant, id))!
const ends = (id: string, status: string) => expect.poll(async () => (await read(id)).status).toBe(status)
const statusesOf = async (ids: string[]) => {
  const rows = await database.db
    .selectFrom('deliveries')
    .select(['id', 'status'])
    .where('id', 'in', ids)
    .execute()
  return new Set(rows.map(({ status }) => status))
}
const allSent = (ids: string[]) => expect.poll(() => statusesOf(ids)).toEqual(new Set(['sent']))
const once = (ids: string[]) => new Map(ids.map((id) => [id, 1]))

describe('a replay', () => {
  it('delivers every dead letter exactly once, however often it is asked for', async () => {
    const ids = await makeDeadLetters(30)
    answer = works
    const [first, second] = [await ask(), await ask()]
    expect(first).toMatchObject({ status: 'pending', matched: 30, replayed: 0 })
    const parts = [replayer(), replayer()]
    await Promise.all([ends(first.id, 'completed'), ends(second.id, 'completed')])
    await allSent(ids)
    const third = await ask()
    await ends(third.id, 'completed')
    await Promise.all(parts.map((part) => part.stop()))
    expect(await read(third.id)).toMatchObject({ matched: 0, replayed: 0, skipped: {} })
    expect(calls).toEqual(once(ids))
    // What the other had sent before this one came to it was no dead letter any more.
    const ended = [await read(first.id), await read(second.id)]
    for (const { replayed, skipped, finished_at } of ended) {
      expect(replayed + (skipped.not_found ?? 0)).toBe(30)
      expect(finished_at).not.toBeNull()
    }
    expect(ended[0]!.replayed + ended[1]!.replayed).toBeGreaterThanOrEqual(30)
    const attempts = await database.db
      .selectFrom('attempts')
      .select(['replay_epoch', 'attempt'])
      .where('delivery_id', '=', ids[0]!)
      .orderBy('replay_epoch')
      .execute()
    expect(attempts).toEqual([
      { replay_epoch: 0, attempt: 1 },
      { replay_epoch: 1, attempt: 1 },
    ])
  })

  it('takes what fits its filter and leaves the rest', async () => {
    const [wanted, other] = [await makeDeadLetters(3, { category: 'orders' }), await makeDeadLetters(2)]
    answer = works
    const replay = await ask({ filter: { categories: ['orders'] } })
    const part = replayer()
    await ends(replay.id, 'completed')
    await allSent(wanted)
    expect(await read(replay.id)).toMatchObject({ matched: 3, replayed: 3 })
    expect(await statusesOf(other)).toEqual(new Set(['dead_lettered']))
    const limited = await ask({ maxRecords: 1 })
    await ends(limited.id, 'completed')
    expect(await read(limited.id)).toMatchObject({ matched: 2, replayed: 1, skipped: {} })
    const rest = await ask()
    await ends(rest.id, 'completed')
    await allSent(other)
    await part.stop()
    expect(calls).toEqual(once([...wanted, ...other]))
  })

  it('never sends what has expired, nor what nobody can read, and says so', async () => {
    await broker.producer.produce([{ topic: topics.deadLetters, key: 'x', value: Buffer.from('not json') }])
    const ids = await makeDeadLetters(2)
    await database.db
      .updateTable('deliveries')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .where('id', '=', ids[0]!)
      .execute()
    answer = works
    const replay = await ask({ filter: { deliveries: ids } })
    const all = await ask()
    const part = replayer()
    await Promise.all([ends(replay.id, 'completed'), ends(all.id, 'completed')])
    await allSent([ids[1]!])
    await part.stop()
    expect(await read(replay.id)).toMatchObject({ matched: 2, skipped: { expired: 1 } })
    expect((await read(all.id)).skipped).toMatchObject({ expired: 1, unreadable: 1 })
    expect(calls).toEqual(once([ids[1]!]))
    await database.db.deleteFrom('deliveries').where('id', '=', ids[0]!).execute()
    expect(await countDeadLetters(database.db, { tenant, filter: {} })).toEqual([])
  })

  it('goes on after a crash before a write and one after it, and nothing is sent twice', async () => {
    const ids = await makeDeadLetters(30)
    answer = works
    const replay = await ask({ rate: 10 })
    // Each of these runners dies in its second batch: before the write, and after it but before it is noted.
    for (const dies of ['before', 'after'] as const) {
      const job = await takeJob(database.db)
      const { doomed, died } = dyingBroker(dies)
      void runReplay(job!, { ...replayOptions(), broker: doomed }, new AbortController().signal)
      await died
      await database.db
        .updateTable('replays')
        .set({ lease_until: new Date(Date.now() - 1) })
        .where('id', '=', replay.id)
        .execute()
    }
    const part = replayer()
    await ends(replay.id, 'completed')
    await allSent(ids)
    await part.stop()
    expect(calls).toEqual(once(ids))
    // What was written and not noted may have been sent before the next runner came: it found no dead letter any more.
    const { replayed, skipped } = await read(replay.id)
    expect(replayed + (skipped.not_found ?? 0)).toBe(30)
    expect(replayed).toBeGreaterThanOrEqual(20)
  })

  it('pauses by itself while what it replays fails again, and goes on when it is told to', async () => {
    const howMany = 200
    const ids = await makeDeadLetters(howMany)
    // Some seconds of work are left when it has seen enough, however late its deliveries fail on a slow machine.
    const replay = await ask({ rate: 10 })
    const part = replayer()
    await ends(replay.id, 'paused')
    const paused = await read(replay.id)
    expect(paused.reason).toMatch(/^\d+ of the last \d+ deliveries replayed have failed again$/)
    expect(paused.replayed).toBeGreaterThanOrEqual(20)
    expect(paused.replayed).toBeLessThan(howMany)
    expect(paused.finished_at).toBeNull()
    const replayedThat = async (status: 'dead_lettered' | 'sent') => {
      const rows = await database.db
        .selectFrom('deliveries')
        .select('id')
        .where('id', 'in', ids)
        .where('replay_epoch', '=', 1)
        .where('status', '=', status)
        .execute()
      return rows.length
    }
    await expect.poll(() => replayedThat('dead_lettered')).toBe(paused.replayed)
    answer = works
    await database.db.updateTable('replays').set({ rate: 1_000 }).where('id', '=', replay.id).execute()
    expect(await resumeReplay(database.db, tenant, replay.id)).toMatchObject({
      status: 'pending',
      reason: null,
    })
    await ends(replay.id, 'completed')
    expect((await read(replay.id)).replayed).toBe(howMany)
    // A dead letter is one until a worker has its record.
    await expect.poll(() => replayedThat('sent')).toBe(howMany - paused.replayed)
    // What failed again was dead-lettered again, after this replay was asked for: it is another one's.
    const again = await ask()
    expect(again.matched).toBe(paused.replayed)
    await ends(again.id, 'completed')
    await allSent(ids)
    await part.stop()
    for (const count of calls.values()) expect(count).toBeLessThanOrEqual(2)
  })

  it('is cancelled between two batches', async () => {
    const ids = await makeDeadLetters(20)
    answer = works
    const replay = await ask({ rate: 1 })
    const part = replayer()
    await expect.poll(async () => (await read(replay.id)).replayed).toBeGreaterThan(0)
    expect(await cancelReplay(database.db, tenant, replay.id)).toMatchObject({ status: 'cancelled' })
    await part.stop()
    const { replayed, status } = await read(replay.id)
    expect(status).toBe('cancelled')
    expect(replayed).toBeLessThan(20)
    expect(await cancelReplay(database.db, tenant, replay.id)).toBeUndefined()
    const rest = await ask()
    const next = replayer()
    await ends(rest.id, 'completed')
    await allSent(ids)
    await next.stop()
    expect(calls).toEqual(once(ids))
  })

  // The last one: the worker does not ask that topic again for a while.
  it('counts apart what waits for the topic of dead letters, which it cannot read, and takes it once that is written', async () => {
    await broker.admin.deleteTopics([topics.deadLetters])
    const filter = { deliveries: await failDeliveries(2) }
    const held = openHeldStore(database.db)
    await expect.poll(async () => (await held.read(topics.deadLetters, 10)).length).toBe(2)
    answer = works
    const part = replayer()
    const early = await ask({ filter })
    await ends(early.id, 'completed')
    expect(await read(early.id)).toMatchObject({ replayed: 0, skipped: { topic_unavailable: 2 } })
    await broker.admin.createTopics(channelTopicSpecs(prefix, channel))
    const release = new HeldRelease({ producer: broker.producer, clock: systemClock, logger })
    await release.sweep(held, new AbortController().signal)
    const late = await ask({ filter })
    await ends(late.id, 'completed')
    await allSent(filter.deliveries)
    await part.stop()
    expect(await read(late.id)).toMatchObject({ replayed: 2, skipped: {} })
  })
})
