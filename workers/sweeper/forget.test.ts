import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { openLedger } from '../delivery/ledger/postgres-ledger.ts'
import { forgetOld } from './forget.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

it('forgets a delivery of which only the record was left, and which was written again from that', {
  timeout: 60_000,
}, async () => {
  const { db } = database
  await openLedger({ db, workerId: 'w' }).restore({
    id: randomUUID(),
    notification_id: randomUUID(),
    notification: 'ntf_1',
    tenant: 'default',
    channel: 'sms',
    channel_type: 'sms',
    recipient: 'phone:+15550100',
    address: '+15550100',
    data: {},
    metadata: {},
    accepted_at: '2026-01-01T00:00:00.000Z',
    expires_at: '2026-01-04T00:00:00.000Z',
  })
  const forget = () => forgetOld(db, new Date('2026-02-01T00:00:00.000Z'), new AbortController().signal)
  expect(await forget()).toBe(0)
  await db.updateTable('deliveries').set({ status: 'expired' }).execute()
  expect(await forget()).toBe(1)
  expect(await db.selectFrom('deliveries').selectAll().execute()).toEqual([])
})
