import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applyCancellations, cancelNotification } from '../../../core/store/cancellations.ts'
import { finishEntry, numberedId, queuedDelivery } from '../../../test/harness/ledger-rows.ts'
import { type TestDatabase, testDatabase } from '../../../test/harness/postgres/postgres.ts'
import type { FinishEntry } from './ledger.ts'
import { openLedger } from './postgres-ledger.ts'

/** What a cancellation means to the ledger. The delivery and its notification share an id here. */

let database: TestDatabase
let count = 0

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

async function newDelivery(): Promise<string> {
  const id = numberedId(++count)
  await database.db.insertInto('deliveries').values(queuedDelivery(id)).execute()
  return id
}

const ledger = () => openLedger({ db: database.db, workerId: 'w' })
const claim = (id: string, attempt = 1, replayEpoch = 0) =>
  ledger().claim({ id, attempt, replayEpoch, leaseMilliseconds: 60_000 })
const finish = (id: string, change: Partial<FinishEntry>) => ledger().finish(finishEntry(id, change))
const failForNow = (id: string, change: Partial<FinishEntry> = {}) =>
  finish(id, { status: 'retrying', outcome: 'not_sent', dueAt: new Date(Date.now() + 30_000), ...change })
const rowOf = (id: string) =>
  database.db
    .selectFrom('deliveries')
    .select(['status', 'due_at'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()

describe('a cancelled delivery', () => {
  it('is not sent when its record comes, whether it waited for its turn or for a retry', async () => {
    const queued = await newDelivery()
    const retrying = await newDelivery()
    await claim(retrying)
    await failForNow(retrying)
    for (const id of [queued, retrying]) await cancelNotification(database.db, 'shop', id)
    expect(await claim(queued)).toEqual({ kind: 'stale' })
    expect(await claim(retrying, 2)).toEqual({ kind: 'stale' })
    expect(await rowOf(retrying)).toEqual({ status: 'cancelled', due_at: null })
  })

  it('that is being sent may still be sent, and is not tried again when it was not', async () => {
    const sent = await newDelivery()
    const failed = await newDelivery()
    for (const id of [sent, failed]) {
      await claim(id)
      await cancelNotification(database.db, 'shop', id)
    }
    expect(await finish(sent, {})).toBe('recorded')
    expect(await failForNow(failed)).toBe('cancelled')
    expect(await rowOf(sent)).toMatchObject({ status: 'sent' })
    expect(await rowOf(failed)).toEqual({ status: 'cancelled', due_at: null })
    expect(await claim(failed, 2)).toEqual({ kind: 'stale' })
  })

  it('under a claim that was lost is known as such to whoever claims it next', async () => {
    const id = await newDelivery()
    await claim(id)
    await cancelNotification(database.db, 'shop', id)
    await database.db
      .updateTable('deliveries')
      .set({ lease_until: new Date(Date.now() - 1) })
      .where('id', '=', id)
      .execute()
    expect(await claim(id)).toEqual({ kind: 'claimed', claim: 2, uncounted: 0, cancelled: true })
    expect(await finish(id, { claim: 2, status: 'unknown', outcome: null })).toBe('recorded')
    expect(await rowOf(id)).toMatchObject({ status: 'unknown' })
  })

  it('is one whichever comes first, the end of its attempt or the cancellation', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, newDelivery))
    await Promise.all(ids.map((id) => claim(id)))
    await Promise.all(ids.flatMap((id) => [failForNow(id), cancelNotification(database.db, 'shop', id)]))
    for (const id of ids) expect(await rowOf(id)).toMatchObject({ status: 'cancelled' })
  })

  it('can be replayed later, and is then tried as often as any other', async () => {
    const id = await newDelivery()
    await claim(id)
    await cancelNotification(database.db, 'shop', id)
    await finish(id, { status: 'dead_lettered', outcome: 'not_sent' })
    expect(await claim(id, 1, 1)).toMatchObject({ kind: 'claimed' })
    await failForNow(id, { replayEpoch: 1 })
    expect(await rowOf(id)).toMatchObject({ status: 'retrying' })
  })
})

describe('a cancellation that comes first', () => {
  it('ends the deliveries that are recorded after it, and those of no other notification', async () => {
    const notification = `00000000-0000-7000-8000-${String(++count).padStart(12, '0')}`
    await cancelNotification(database.db, 'shop', notification)
    const [late, other] = [await newDelivery(), await newDelivery()]
    await database.db
      .updateTable('deliveries')
      .set({ notification_id: notification })
      .where('id', '=', late)
      .execute()
    expect(await applyCancellations(database.db, [notification, other])).toEqual(new Set([notification]))
    expect(await rowOf(late)).toMatchObject({ status: 'cancelled' })
    expect(await rowOf(other)).toMatchObject({ status: 'queued' })
  })
})
