import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { heldRow } from '../../test/harness/ledger-rows.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { type HeldState, holdRecords, neverWritten } from './held-records.ts'
import { openHeldStore } from './held-store.ts'
import type { Database } from './schema.ts'

let database: TestDatabase
let held: ReturnType<typeof openHeldStore>

beforeAll(async () => {
  database = await testDatabase()
  held = openHeldStore(database.db)
})
afterAll(() => database.close())
beforeEach(async () => {
  for (const table of ['deliveries', 'held_records'] as const) await database.db.deleteFrom(table).execute()
})

const retrying: HeldState = { status: 'retrying', replayEpoch: 0, attempt: 1 }
const retries = 'p.shop.texts.retry.30s'
const record = (id: string, state: HeldState) => ({
  topic: state.status === 'queued' ? 'p.shop.texts' : retries,
  key: 'k',
  value: Buffer.from('x'),
  headers: { ce_id: id },
  delivery: id,
  state,
})
const hold = (id: string, state: HeldState, db: Kysely<Database> = database.db) =>
  holdRecords(db, [record(id, state)])

/** A delivery in this state, whose record is kept. */
async function deliver(id: string, state: HeldState): Promise<void> {
  const now = new Date()
  await database.db
    .insertInto('deliveries')
    .values({
      id,
      notification_id: id,
      tenant: 'shop',
      channel: 'texts',
      channel_type: 'sms',
      recipient: 'phone:+15550100',
      status: state.status,
      attempt: state.attempt,
      created_at: now,
      updated_at: now,
    })
    .execute()
  await hold(id, state)
}

const rowOf = (id: string) =>
  database.db.selectFrom('deliveries').select(['status', 'reason']).where('id', '=', id).executeTakeFirst()
const heldOf = (id: string) => heldRow(database.db, id)
/** Resolves when a connection to this database waits for a lock. */
const someoneWaits = () =>
  expect
    .poll(async () => {
      const { rows } = await sql`
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(
        database.db,
      )
      return rows.length
    })
    .toBe(1)

it('waits for a worker that is keeping the next record of a delivery, and does not make it wait in turn', async () => {
  const id = randomUUID()
  await deliver(id, neverWritten)
  const written = await held.read('p.shop.texts', 1)
  const struck: Promise<void>[] = []
  await database.db.transaction().execute(async (worker) => {
    const change = { status: 'retrying', attempt: 1 } as const
    await worker.updateTable('deliveries').set(change).where('id', '=', id).execute()
    struck.push(held.strikeOff(written))
    await someoneWaits()
    await hold(id, retrying, worker)
  })
  await Promise.all(struck)
  expect(await heldOf(id)).toEqual({ topic: retries, status: 'retrying' })
  expect(await rowOf(id)).toEqual({ status: 'retrying', reason: 'topic_unavailable' })
})

it('locks deliveries in the order of everybody, whatever their refused records were for', async () => {
  const [small, large] = [randomUUID(), randomUUID()].toSorted() as [string, string]
  await deliver(small, retrying)
  await deliver(large, neverWritten)
  const refused = [...(await held.read('p.shop.texts', 1)), ...(await held.read(retries, 1))].map((one) => ({
    record: one,
    reason: 'too_large' as const,
  }))
  const ended: Promise<void>[] = []
  await database.db.transaction().execute(async (other) => {
    const lock = (id: string) =>
      sql`SELECT FROM deliveries WHERE id = ${id}::uuid FOR UPDATE NOWAIT`.execute(other)
    await lock(small)
    ended.push(held.endRefused(refused))
    await someoneWaits()
    await lock(large)
  })
  await Promise.all(ended)
  expect(await rowOf(small)).toEqual({ status: 'dead_lettered', reason: 'too_large' })
  expect(await rowOf(large)).toEqual({ status: 'failed', reason: 'too_large' })
})

it('waits for nobody when it looks for records of no use, and forgets at the next look what somebody had then', async () => {
  const [taken, free] = [randomUUID(), randomUUID()]
  for (const id of [taken, free]) await deliver(id, neverWritten)
  await database.db.updateTable('deliveries').set({ status: 'cancelled' }).execute()
  await database.db.transaction().execute(async (other) => {
    await sql`SELECT FROM held_records WHERE delivery_id = ${taken}::uuid FOR UPDATE`.execute(other)
    await held.dropEnded(undefined)
    expect(await heldOf(free)).toBeUndefined()
  })
  expect(await heldOf(taken)).toBeDefined()
  await held.dropEnded(undefined)
  expect(await heldOf(taken)).toBeUndefined()
})
