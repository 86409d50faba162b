import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import { type EmbeddedBroker, openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { systemClock } from '../../core/clock.ts'
import { createEventMetrics } from '../../core/events/publisher.ts'
import { deriveInstallKeys } from '../../core/notification/ids.ts'
import type { DeliveryStatus, Reason } from '../../core/notification/status.ts'
import { channelTopics, requestsTopic } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { openLedger } from '../delivery/ledger/postgres-ledger.ts'
import { createSweeperMetrics } from './metrics.ts'
import { Sweeper, type SweeperOptions } from './sweeper.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const prefix = 'p'
const lines: string[] = []
const logger = createLogger({ level: 'INFO', destination: { write: (line) => void lines.push(line) } })
const catalog = staticCatalog({ channels: { sms: 'sms' } })
const channel = catalog.channel('default', 'sms')!.resource
const topics = channelTopics(prefix, channel.metadata, '', channel.spec.delivery.retryTiers)

let database: TestDatabase
let broker: EmbeddedBroker
let registry: Registry

beforeAll(async () => {
  database = await testDatabase()
  // Retention is judged by the time stamps of the records, which the broker takes from this clock.
  broker = await openEmbeddedBroker({ db: database.db, logger })
  await broker.admin.createTopics([...installTopicSpecs(prefix, 1), ...channelTopicSpecs(prefix, channel)])
})
afterAll(async () => {
  await broker.close()
  await database.close()
})
beforeEach(async () => {
  for (const table of ['notifications', 'deliveries', 'attempts', 'cancellations', 'held_records'] as const)
    await database.db.deleteFrom(table).execute()
  await database.db.updateTable('sweeps').set({ expires_at: '-infinity' }).execute()
  lines.length = 0
})

function sweeper(change: Partial<SweeperOptions> = {}): Sweeper {
  registry = new Registry()
  return new Sweeper({
    db: database.db,
    admin: broker.admin,
    producer: broker.producer,
    keys: deriveInstallKeys(Buffer.alloc(32, 1)),
    catalog,
    prefix,
    retention: 30 * day,
    clock: systemClock,
    logger,
    events: createEventMetrics(registry),
    metrics: createSweeperMetrics(registry),
    ...change,
  })
}

interface Row {
  status?: DeliveryStatus
  /** Milliseconds from now; in the past when negative. */
  expires?: number
  queued?: number
  lease?: number
  channel?: string
  notification?: string
  reason?: Reason
}

const fromNow = (milliseconds: number) => new Date(Date.now() + milliseconds)

async function deliver(row: Row = {}): Promise<string> {
  const id = randomUUID()
  const { status = 'queued', expires = -hour, queued = -2 * hour } = row
  await database.db
    .insertInto('deliveries')
    .values({
      id,
      notification_id: row.notification ?? randomUUID(),
      tenant: 'default',
      channel: row.channel ?? 'sms',
      channel_type: 'sms',
      recipient: 'phone:+15550100',
      status,
      reason: row.reason ?? null,
      attempt: status === 'sending' || status === 'retrying' ? 1 : 0,
      claims: status === 'sending' ? 1 : 0,
      owner: status === 'sending' ? 'w' : null,
      lease_until: row.lease === undefined ? null : fromNow(row.lease),
      due_at: status === 'retrying' ? fromNow(expires) : null,
      expires_at: fromNow(expires),
      created_at: fromNow(queued),
      // As the database writes it, with microseconds.
      updated_at: sql<string>`${fromNow(queued)}::timestamptz + interval '123 microseconds'`,
    })
    .execute()
  return id
}

const rowOf = (id: string) =>
  database.db
    .selectFrom('deliveries')
    .select(['status', 'reason', 'due_at'])
    .where('id', '=', id)
    .executeTakeFirst()
const untouched = (status: DeliveryStatus) => ({ status, reason: null })

describe('G4: a delivery past its deadline', () => {
  it('ends as expired when it waits, and its record is then dropped', async () => {
    const [queued, retrying] = [await deliver(), await deliver({ status: 'retrying' })]
    await sweeper().sweep()
    for (const id of [queued, retrying])
      expect(await rowOf(id)).toEqual({ status: 'expired', reason: 'expired', due_at: null })
    const ledger = openLedger({ db: database.db, workerId: 'w' })
    const claim = (id: string, attempt: number) =>
      ledger.claim({ id, attempt, replayEpoch: 0, leaseMilliseconds: 1_000 })
    expect(await claim(queued, 1)).toEqual({ kind: 'stale' })
    expect(await claim(retrying, 2)).toEqual({ kind: 'stale' })
    expect(await registry.getSingleMetricAsString('carillon_deliveries_swept_total')).toContain(
      '{status="expired",reason="expired"} 2',
    )
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({ expired: 2 })
  })

  it('keeps as its reason that its topic did not take it, when it waited for that, and is counted so', async () => {
    const id = await deliver({ reason: 'topic_unavailable' })
    await sweeper().sweep()
    expect(await rowOf(id)).toMatchObject({ status: 'expired', reason: 'topic_unavailable' })
    const counted = await registry.getSingleMetricAsString('carillon_deliveries_swept_total')
    expect(counted).toContain('{status="expired",reason="topic_unavailable"} 1')
    expect(counted).toContain('{status="expired",reason="expired"} 0')
    expect(JSON.parse(lines[0]!)).toMatchObject({ topic_unavailable: 1 })
  })

  it('is left to its worker for two minutes, and for good once it has ended', async () => {
    const fresh = await deliver({ expires: -minute })
    const early = await deliver({ expires: minute, queued: -minute })
    const sent = await deliver({ status: 'sent' })
    await sweeper().sweep()
    expect(await rowOf(fresh)).toMatchObject(untouched('queued'))
    expect(await rowOf(early)).toMatchObject(untouched('queued'))
    expect(await rowOf(sent)).toMatchObject(untouched('sent'))
    expect(lines).toEqual([])
  })

  it('is unknown when its claim was lost, and is found although others passed it by while it was held', async () => {
    const id = await deliver({ status: 'sending', lease: minute, expires: -hour })
    await database.db
      .insertInto('attempts')
      .values({ delivery_id: id, replay_epoch: 0, attempt: 1, claim: 1, owner: 'w', claimed_at: new Date() })
      .execute()
    const later = await deliver({ expires: -hour + minute })
    await sweeper().sweep()
    expect(await rowOf(id)).toMatchObject(untouched('sending'))
    expect(await rowOf(later)).toMatchObject({ status: 'expired' })
    await database.db
      .updateTable('deliveries')
      .set({ lease_until: fromNow(-6 * minute) })
      .where('id', '=', id)
      .execute()
    await sweeper().sweep()
    expect(await rowOf(id)).toMatchObject({ status: 'unknown', reason: 'expired' })
    const attempts = await database.db.selectFrom('attempts').select('outcome').execute()
    expect(attempts).toEqual([{ outcome: 'interrupted' }])
    expect(
      await openLedger({ db: database.db, workerId: 'w' }).claim({
        id,
        attempt: 1,
        replayEpoch: 0,
        leaseMilliseconds: 1_000,
      }),
    ).toMatchObject({ kind: 'settled', status: 'unknown' })
  })

  it('is found among more than fit into one statement that share a deadline', {
    timeout: 60_000,
  }, async () => {
    const deadline = fromNow(-hour)
    const rows = Array.from({ length: 4_500 }, () => ({
      id: randomUUID(),
      notification_id: randomUUID(),
      tenant: 'default',
      channel: 'sms',
      channel_type: 'sms' as const,
      recipient: 'phone:+15550100',
      status: 'queued' as const,
      expires_at: deadline,
      created_at: deadline,
      updated_at: deadline,
    }))
    await database.db.insertInto('deliveries').values(rows).execute()
    await sweeper().sweep()
    const left = await database.db
      .selectFrom('deliveries')
      .select('id')
      .where('status', '=', 'queued')
      .execute()
    expect(left).toEqual([])
  })

  it('is ended once by several sweepers at the same time', async () => {
    for (let count = 0; count < 50; count++) await deliver()
    const several = [sweeper(), sweeper(), sweeper()]
    await Promise.all(several.map((one) => one.sweep()))
    expect(lines.map((line) => (JSON.parse(line) as { expired: number }).expired)).toEqual([50])
  })
})

describe('G4: a delivery whose channel was deleted', () => {
  it('fails once the channel has been missing for long, and not when it came back', async () => {
    let elapsed = 0
    let exists = false
    const unavailable = () => Promise.reject(new BrokerError('unavailable', 'away'))
    const one = sweeper({
      admin: { listTopics: unavailable, lag: unavailable, offsetsAt: unavailable },
      clock: { ...systemClock, monotonic: () => elapsed },
      catalog: { synced: () => true, channel: (...name) => (exists ? catalog.channel(...name) : undefined) },
    })
    const id = await deliver({ expires: day })
    await one.sweep()
    elapsed = hour - 1
    await one.sweep()
    exists = true
    await one.sweep()
    exists = false
    elapsed = hour
    await one.sweep()
    expect(await rowOf(id)).toMatchObject(untouched('queued'))
    elapsed = 2 * hour
    await one.sweep()
    expect(await rowOf(id)).toMatchObject({ status: 'failed', reason: 'channel_deleted' })
  })

  it('is left alone while the catalog has not been read', async () => {
    const id = await deliver({ expires: day, channel: 'gone' })
    await sweeper({ patience: 0, catalog: { synced: () => false, channel: () => undefined } }).sweep()
    expect(await rowOf(id)).toMatchObject(untouched('queued'))
    await sweeper({ patience: 0 }).sweep()
    expect(await rowOf(id)).toMatchObject({ status: 'failed', reason: 'channel_deleted' })
  })
})

describe('G4: a delivery whose record has left the log', () => {
  const clean = async (topic: string) => {
    await broker.admin.alterConfig(topic, { 'retention.ms': '1' })
    await expect
      .poll(async () => {
        await broker.clean()
        const lags = await broker.admin.lag([{ group: topics.group, topics: [topic] }])
        return lags.every(({ beginning, end }) => beginning === end)
      })
      .toBe(true)
    await broker.admin.alterConfig(topic, { 'retention.ms': String(7 * day) })
  }
  const write = (topic: string) => broker.producer.produce([{ topic, key: 'k', value: Buffer.from('{}') }])

  it('ends as log_expired, queued or retrying, however far its deadline', async () => {
    await write(topics.main)
    const [queued, retrying] = [
      await deliver({ expires: day, queued: -2 * hour }),
      await deliver({ status: 'retrying', expires: day, queued: -hour - minute }),
    ]
    const fresh = await deliver({ expires: day, queued: -minute })
    const held = await deliver({ expires: day, queued: -2 * hour, reason: 'topic_unavailable' })
    await clean(topics.main)
    await sweeper().sweep()
    for (const id of [queued, retrying])
      expect(await rowOf(id)).toMatchObject({ status: 'expired', reason: 'log_expired' })
    expect(await rowOf(fresh)).toMatchObject(untouched('queued'))
    expect(await rowOf(held)).toMatchObject({ status: 'queued', reason: 'topic_unavailable' })
  })

  it.each([
    ['the channel', topics.main],
    ['a retry tier', topics.retries[0]!.topic],
    ['a tier that the channel has no more', `${topics.main}.retry.7m`],
  ])('waits while the log of %s still holds older records', async (_, topic) => {
    await broker.admin.createTopics([{ name: topic, partitions: 1, replicas: 1, config: {} }])
    await write(topic)
    // A record that was written now is older than a delivery that is queued in an hour, as the clock of this sweeper has it.
    const clock = { ...systemClock, now: () => Date.now() + 3 * hour }
    const id = await deliver({ expires: day, queued: hour })
    await sweeper({ clock }).sweep()
    expect(await rowOf(id)).toMatchObject(untouched('queued'))
    await clean(topic)
    await sweeper({ clock }).sweep()
    expect(await rowOf(id)).toMatchObject({ reason: 'log_expired' })
  })

  it('waits while the planner has not finished the requests from before it', async () => {
    await write(requestsTopic(prefix))
    const clock = { ...systemClock, now: () => Date.now() + 3 * hour }
    const id = await deliver({ expires: day, queued: hour })
    await sweeper({ clock }).sweep()
    expect(await rowOf(id)).toMatchObject(untouched('queued'))
    await clean(requestsTopic(prefix))
    await sweeper({ clock }).sweep()
    expect(await rowOf(id)).toMatchObject({ reason: 'log_expired' })
  })

  it('ends those from before what is left in the log, and leaves the others', async () => {
    await write(topics.main)
    // As if the record had been written an hour and a half from now.
    const id = await deliver({ expires: day, queued: -4 * hour })
    const later = await deliver({ expires: day, queued: -minute })
    const clock = { ...systemClock, now: () => Date.now() + 2 * hour }
    await sweeper({ clock }).sweep()
    expect(await rowOf(id)).toMatchObject({ reason: 'log_expired' })
    expect(await rowOf(later)).toMatchObject(untouched('queued'))
    await clean(topics.main)
  })
})

describe('history', () => {
  const accept = async (age: number) => {
    const id = randomUUID()
    await database.db
      .insertInto('notifications')
      .values({
        id,
        tenant: 'default',
        body_hash: Buffer.alloc(32),
        metadata: '{}',
        accepted_at: fromNow(-age),
      })
      .execute()
    return id
  }
  const kept = async () =>
    (await database.db.selectFrom('notifications').select('id').execute()).map(({ id }) => id)

  it('is deleted with all that belongs to it, when it is old and over', async () => {
    const old = await accept(31 * day)
    const delivery = await deliver({ status: 'sent', notification: old, expires: -20 * day })
    await database.db
      .insertInto('attempts')
      .values({
        delivery_id: delivery,
        replay_epoch: 0,
        attempt: 1,
        claim: 1,
        owner: 'w',
        claimed_at: fromNow(-31 * day),
      })
      .execute()
    await database.db
      .insertInto('cancellations')
      .values({ notification_id: old, tenant: 'default', requested_at: fromNow(-31 * day) })
      .execute()
    const recent = await accept(29 * day)
    await sweeper().sweep()
    expect(await kept()).toEqual([recent])
    for (const table of ['deliveries', 'attempts', 'cancellations'] as const)
      expect(await database.db.selectFrom(table).selectAll().execute()).toEqual([])
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ forgotten: 1 })
  })

  it('has replays too, which go when they have ended', async () => {
    const replay = { tenant: 'default', filter: '{}', rate: 1, reason: null, matched: 0, owner: null }
    const times = { created_at: fromNow(-40 * day), updated_at: fromNow(-40 * day) }
    const ended = (age: number) => ({ status: 'completed' as const, finished_at: fromNow(-age) })
    const rows = [ended(31 * day), ended(29 * day), { status: 'paused' as const, finished_at: null }]
    await database.db
      .insertInto('replays')
      .values(rows.map((row) => ({ id: randomUUID(), ...replay, ...times, ...row })))
      .execute()
    await sweeper().sweep()
    const left = await database.db.selectFrom('replays').select('status').orderBy('sequence').execute()
    expect(left.map(({ status }) => status)).toEqual(['completed', 'paused'])
  })

  it('stays while something of it may still happen', async () => {
    const sending = await accept(40 * day)
    await deliver({ status: 'sending', notification: sending, lease: minute })
    const open = await accept(40 * day)
    await deliver({ status: 'sent', notification: open, expires: minute })
    const over = await accept(40 * day)
    await deliver({ status: 'sent', notification: over, expires: -minute })
    await sweeper().sweep()
    expect((await kept()).toSorted()).toEqual([sending, open].toSorted())
  })
})
