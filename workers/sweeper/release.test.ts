import { randomUUID } from 'node:crypto'
import { sql, type Updateable } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { BrokerError, type Producer, type RecordToProduce } from '../../core/broker/broker.ts'
import { systemClock } from '../../core/clock.ts'
import { header } from '../../core/notification/envelope.ts'
import type { DeliveryStatus } from '../../core/notification/status.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { failRefused, holdRecords, neverWritten } from '../../core/store/held-records.ts'
import { openHeldStore } from '../../core/store/held-store.ts'
import type { Database } from '../../core/store/schema.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { heldRow, queuedDelivery } from '../../test/harness/ledger-rows.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { openLedger } from '../delivery/ledger/postgres-ledger.ts'
import { HeldRelease } from './release.ts'

const day = 86_400_000
const lines: string[] = []
const logger = createLogger({ level: 'ERROR', destination: { write: (line) => void lines.push(line) } })
let database: TestDatabase
let scripted: ReturnType<typeof scriptedBroker>

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())
beforeEach(async () => {
  scripted = scriptedBroker()
  lines.length = 0
  for (const table of ['deliveries', 'held_records', 'untold_changes'] as const)
    await database.db.deleteFrom(table).execute()
})

async function hold(topic: string, count = 1, expires = Date.now() + day): Promise<string[]> {
  const deliveries = Array.from({ length: count }, () => randomUUID())
  const expires_at = new Date(expires)
  await database.db
    .insertInto('deliveries')
    .values(deliveries.map((id) => queuedDelivery(id, { channel: 'texts', channel_type: 'sms', expires_at })))
    .execute()
  await holdRecords(
    database.db,
    deliveries.map((delivery) => ({
      topic,
      key: 'k',
      value: Buffer.from([0, 255, 1]),
      headers: { ce_id: delivery },
      delivery,
      state: neverWritten,
    })),
  )
  return deliveries
}

const { signal } = new AbortController()
const release = (held = openHeldStore(database.db)) =>
  new HeldRelease({ producer: scripted.broker.producer, clock: systemClock, logger }).sweep(held, signal)
const rowOf = (id: string) =>
  database.db.selectFrom('deliveries').select(['status', 'reason']).where('id', '=', id).executeTakeFirst()
const written = () => scripted.produced.map(({ headers }) => headers!['ce_id'])
const queued = (reason: string | null) => ({ status: 'queued' as DeliveryStatus, reason })

it('writes what waits for a topic once it takes it, in order, as it would have been written', async () => {
  const deliveries = await hold('a', 700)
  expect(await openHeldStore(database.db).behind(['a', 'b'])).toEqual(new Set(['a']))
  expect(await rowOf(deliveries[0]!)).toEqual(queued('topic_unavailable'))
  expect(await release()).toEqual(new Map())
  expect(written()).toEqual(deliveries)
  expect(scripted.produced[0]).toMatchObject({ topic: 'a', key: 'k', value: Buffer.from([0, 255, 1]) })
  expect(await rowOf(deliveries[699]!)).toEqual(queued(null))
  expect(await openHeldStore(database.db).topics()).toEqual([])
  expect(await openHeldStore(database.db).behind(['a', 'b'])).toEqual(new Set())
})

it('reads no more at once than fits into memory, however large records are', async () => {
  const deliveries = await hold('a', 4)
  await database.db
    .updateTable('held_records')
    .set({ value: Buffer.alloc(3 * 1024 * 1024) })
    .execute()
  expect(await openHeldStore(database.db).read('a', 500)).toHaveLength(3)
  await release()
  expect(written()).toEqual(deliveries)
})

it('leaves what waits for a topic that still refuses, and asks it once', async () => {
  const [waiting] = await hold('missing', 3)
  const [free] = await hold('there')
  await hold('zoo')
  scripted.refusals.set('missing', new BrokerError('unknown_topic', 'no such topic'))
  const closed = await release()
  expect([...closed.keys()]).toEqual(['missing'])
  expect(Math.abs(closed.get('missing')! - Date.now())).toBeLessThan(60_000)
  expect(scripted.attempts).toEqual(['missing', 'there', 'zoo'])
  expect(written()).toContain(free)
  expect(await rowOf(waiting!)).toEqual(queued('topic_unavailable'))
  expect((await openHeldStore(database.db).topics()).map(({ topic }) => topic)).toEqual(['missing'])
})

it('G5: keeps what is for a topic whose brokers go away in the middle, and writes what is for others', async () => {
  await hold('a', 3)
  const [free] = await hold('b')
  scripted.refusals.set('a', (records) =>
    records.length > 1 ? new BrokerError('unavailable', 'away') : undefined,
  )
  expect([...(await release()).keys()]).toEqual(['a'])
  expect(written()).toContain(free)
  scripted.refusals.clear()
  expect(await release()).toEqual(new Map())
  expect(written()).toHaveLength(4)
})

it('ends what the topic refuses for its size', async () => {
  const [large] = await hold('a')
  scripted.refusals.set('a', new BrokerError('record_too_large', 'too large'))
  await release()
  expect(await rowOf(large!)).toEqual({ status: 'failed', reason: 'too_large' })
  expect(await openHeldStore(database.db).topics()).toEqual([])
})

it('ends what the topic takes for invalid, and writes what waits behind it', async () => {
  const [invalid, ...others] = await hold('a', 5)
  const isInvalid = ({ headers }: RecordToProduce) => headers!['ce_id'] === invalid
  scripted.refusals.set('a', (records) =>
    records.some(isInvalid) ? new BrokerError('invalid_record', 'as told') : undefined,
  )
  expect(await release()).toEqual(new Map())
  expect(written()).toEqual(others)
  expect(await rowOf(invalid!)).toEqual({ status: 'failed', reason: 'invalid_record' })
  const told = database.db.selectFrom('untold_changes').selectAll()
  expect(await told.execute()).toMatchObject([{ delivery_id: invalid, reason: 'invalid_record' }])
  expect(await openHeldStore(database.db).topics()).toEqual([])
})

it('is done with a dead letter that its topic takes in no form, says where it came from, and writes the others', async () => {
  const lost = randomUUID()
  const letter = await holdNext(letters, 'dead_lettered')
  const headers = { [header.origin]: 'p.requests/0/7' }
  await holdRecords(database.db, [
    { topic: 'p.requests.dlq', key: null, value: Buffer.from('x'), headers, delivery: lost, state: null },
  ])
  scripted.refusals.set('p.requests.dlq', new BrokerError('record_too_large', 'as told'))
  expect(await release()).toEqual(new Map())
  expect(written()).toEqual([letter])
  expect(await heldOf(lost)).toBeUndefined()
  expect(lines.join()).toContain('p.requests/0/7')
})

it('forgets what is for deliveries that have ended, more than fit into a statement, and is silent of its topic', async () => {
  const deliveries = await hold('gone', 2_100)
  const [waiting] = await hold('missing', 2)
  for (const topic of ['gone', 'missing'])
    scripted.refusals.set(topic, new BrokerError('unknown_topic', 'no such topic'))
  await database.db
    .updateTable('deliveries')
    .set({ status: 'cancelled', reason: null })
    .where('id', 'in', [...deliveries, waiting!])
    .execute()
  expect([...(await release()).keys()]).toEqual(['missing'])
  expect(scripted.attempts).toEqual(['missing'])
  const left = await database.db.selectFrom('held_records').select('delivery_id').execute()
  expect(left).toHaveLength(1)
})

it('asks topics that do not answer at once, and begins with the next ones when the time of a round is over', async () => {
  const names = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`)
  for (const name of names) {
    await hold(name)
    if (name !== 't119') scripted.refusals.set(name, new BrokerError('unavailable', 'no leader'))
  }
  let [now, calls] = [0, 0]
  // As a topic without a leader: each time that some are waited for takes a quarter of a minute.
  const producer: Producer = {
    ...scripted.broker.producer,
    async produce(records) {
      const call = ++calls
      await new Promise(setImmediate)
      if (call === calls) now += 15_000
      return scripted.broker.producer.produce(records)
    },
  }
  const one = new HeldRelease({ producer, clock: { monotonic: () => now }, logger })
  const held = openHeldStore(database.db)
  expect((await one.sweep(held, signal)).size).toBe(100)
  expect(scripted.attempts).toHaveLength(100)
  expect(now).toBe(30_000)
  const closed = await one.sweep(held, signal)
  expect(scripted.attempts[100]).toBe('t100')
  expect(scripted.produced.map(({ topic }) => topic)).toEqual(['t119'])
  expect(closed.size).toBe(119)
})

it('keeps the record of what is too large until its delivery has ended', async () => {
  const [large] = await hold('a')
  scripted.refusals.set('a', new BrokerError('record_too_large', 'too large'))
  const held = openHeldStore(database.db)
  const cut = { ...held, endRefused: () => Promise.reject(new Error('cut')) }
  await expect(release(cut)).rejects.toThrow('cut')
  await release()
  expect(await rowOf(large!)).toEqual({ status: 'failed', reason: 'too_large' })
})

it('touches no delivery that a worker has claimed: its record was written before a crash', async () => {
  const [id] = await hold('a')
  const ledger = openLedger({ db: database.db, workerId: 'w' })
  await ledger.claim({ id: id!, attempt: 1, replayEpoch: 0, leaseMilliseconds: 60_000 })
  await failRefused(database.db, [{ delivery: id!, reason: 'too_large' }])
  await release()
  expect(await rowOf(id!)).toEqual({ status: 'sending', reason: null })
})

/** A delivery that has failed so often, whose next record, to this topic, is kept. */
async function holdNext(topic: string, status: 'retrying' | 'dead_lettered', attempt = 1): Promise<string> {
  const [id] = await hold('p.shop.texts')
  const dueAt = status === 'retrying' ? new Date() : null
  await set(id!, {
    status,
    attempt,
    reason: status === 'retrying' ? 'provider_auth' : 'poison',
    due_at: dueAt,
  })
  await holdRecords(database.db, [nextOf(id!, topic, status, attempt)])
  return id!
}
const nextOf = (id: string, topic: string, status: 'retrying' | 'dead_lettered', attempt = 1) => ({
  topic,
  key: 'k',
  value: Buffer.from('x'),
  headers: { ce_id: id, [header.reason]: status === 'retrying' ? 'provider_auth' : 'poison' },
  delivery: id,
  state: { status, attempt, replayEpoch: 0 },
})
const set = (id: string, change: Updateable<Database['deliveries']>) =>
  database.db.updateTable('deliveries').set(change).where('id', '=', id).execute()
const heldOf = (id: string) => heldRow(database.db, id)
const [retries, letters] = ['p.shop.texts.retry.30s', 'p.shop.texts.dlq']

it('writes retries and dead letters too: one record of a delivery, the last, and its reason is what it was', async () => {
  const retry = await holdNext(retries, 'retrying')
  const letter = await holdNext(letters, 'dead_lettered')
  expect(await rowOf(retry)).toEqual({ status: 'retrying', reason: 'topic_unavailable' })
  expect(await rowOf(letter)).toEqual({ status: 'dead_lettered', reason: 'poison' })
  expect(await release()).toEqual(new Map())
  expect(scripted.produced.map(({ topic, headers }) => [topic, headers!['ce_id']])).toEqual([
    [letters, letter],
    [retries, retry],
  ])
  expect(await rowOf(retry)).toEqual({ status: 'retrying', reason: 'provider_auth' })
  expect(await rowOf(letter)).toEqual({ status: 'dead_lettered', reason: 'poison' })
})

it('keeps no record for what its delivery is no more, in whatever order they come', async () => {
  const retry = await holdNext(retries, 'retrying', 2)
  await holdRecords(database.db, [{ ...nextOf(retry, 'p.shop.texts', 'retrying'), state: neverWritten }])
  await holdRecords(database.db, [nextOf(retry, letters, 'dead_lettered', 2)])
  expect(await heldOf(retry)).toEqual({ topic: retries, status: 'retrying' })
  await set(retry, { status: 'cancelled' })
  scripted.refusals.set(retries, new BrokerError('unknown_topic', 'no such topic'))
  expect(await release()).toEqual(new Map())
  expect(await heldOf(retry)).toBeUndefined()
})

it('does not strike off what took the place of the record that it wrote', async () => {
  const [id] = await hold('a')
  const held = openHeldStore(database.db)
  // A worker that takes the record, fails, and finds its retry topic missing before the sweeper is done.
  const quick = {
    ...held,
    async strikeOff(records: Parameters<typeof held.strikeOff>[0]) {
      await set(id!, { status: 'retrying', attempt: 1 })
      await holdRecords(database.db, [nextOf(id!, retries, 'retrying')])
      await held.strikeOff(records)
    },
  }
  scripted.refusals.set(retries, new BrokerError('unknown_topic', 'no such topic'))
  await release(quick)
  expect(await heldOf(id!)).toEqual({ topic: retries, status: 'retrying' })
  expect(await rowOf(id!)).toEqual({ status: 'retrying', reason: 'topic_unavailable' })
})

it('makes a dead letter of a retry that its topic refuses for its size, tells of it, and drops the payload where that is too large as well', async () => {
  const id = await holdNext(retries, 'retrying')
  const tooLarge = new BrokerError('record_too_large', 'too large')
  scripted.refusals.set(retries, tooLarge)
  scripted.refusals.set(letters, ([record]) => (record!.value === null ? undefined : tooLarge))
  await release()
  expect(await rowOf(id)).toEqual({ status: 'dead_lettered', reason: 'too_large' })
  await release()
  expect(scripted.produced).toMatchObject([
    {
      topic: letters,
      value: null,
      headers: { ce_id: id, [header.reason]: 'too_large', [header.payload]: 'dropped' },
    },
  ])
  expect(await heldOf(id)).toBeUndefined()
  const untold = await database.db
    .selectFrom('untold_changes')
    .selectAll()
    .where('delivery_id', '=', id)
    .execute()
  expect(untold).toMatchObject([{ status: 'dead_lettered', reason: 'too_large', attempt: 1 }])
})

it('keeps what nobody can read, whatever is in it, for as long as a topic would', async () => {
  const id = randomUUID()
  const headers = { ce_id: 'NUL \0', '\0': 'x' }
  await holdRecords(database.db, [
    { topic: letters, key: 'NUL \0', value: null, headers, delivery: id, state: null },
  ])
  scripted.refusals.set(letters, new BrokerError('unknown_topic', 'no such topic'))
  expect([...(await release()).keys()]).toEqual([letters])
  await sql`UPDATE held_records SET held_at = held_at - interval '169 hours'`.execute(database.db)
  expect(await release()).toEqual(new Map())
  expect(await heldOf(id)).toBeUndefined()
})
