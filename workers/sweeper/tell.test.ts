import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { BrokerError, type RecordToProduce } from '../../core/broker/broker.ts'
import { createEventMetrics } from '../../core/events/publisher.ts'
import { formatDeliveryId, formatNotificationId, deriveInstallKeys } from '../../core/notification/ids.ts'
import type { DeliveryStatus, Reason } from '../../core/notification/status.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { cancelNotification } from '../../core/store/cancellations.ts'
import { queuedDelivery } from '../../test/harness/ledger-rows.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { tellUntold } from './tell.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const keys = deriveInstallKeys(Buffer.alloc(32, 1))
let database: TestDatabase
let produced: RecordToProduce[]
let failure: BrokerError | undefined
let registry: Registry

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())
beforeEach(async () => {
  produced = []
  failure = undefined
  await database.db.deleteFrom('deliveries').execute()
  await database.db.deleteFrom('untold_changes').execute()
})

const producer = {
  async produce(records: readonly RecordToProduce[]) {
    if (failure) throw failure
    produced.push(...records)
    return []
  },
}
const tell = () => {
  registry = new Registry()
  return tellUntold(
    database.db,
    { producer, keys, prefix: 'p', clock: { now: () => 0 }, logger, events: createEventMetrics(registry) },
    new AbortController().signal,
  )
}

async function insert(status: DeliveryStatus): Promise<string> {
  const id = randomUUID()
  const change = { recipient: 'phone:+15550100', status, attempt: 2 }
  await database.db.insertInto('deliveries').values(queuedDelivery(id, change)).execute()
  return id
}
const change = (id: string, status: DeliveryStatus, reason: Reason | null = null) =>
  database.db.updateTable('deliveries').set({ status, reason }).where('id', '=', id).execute()

it('tells what was cancelled or swept, once, and nothing of the recipient', async () => {
  const [cancelled, expired] = [await insert('queued'), await insert('retrying')]
  await cancelNotification(database.db, 'shop', cancelled)
  await change(expired, 'expired', 'log_expired')
  await tell()
  await tell()
  const common = { namespace: 'shop', channel: 'email', type: 'email', attempt: 2, replay: 0 }
  const eventOf = (id: string, rest: object) => ({
    ...common,
    delivery_id: formatDeliveryId(id),
    notification_id: formatNotificationId(keys, 'shop', id),
    ...rest,
  })
  const told = produced.map(({ value }) => JSON.parse(value!.toString()) as { status: string })
  expect(told.toSorted((left, right) => left.status.localeCompare(right.status))).toEqual([
    eventOf(cancelled, { status: 'cancelled' }),
    eventOf(expired, { status: 'expired', reason: 'log_expired' }),
  ])
  expect(JSON.stringify(produced)).not.toContain('5550100')
})

it('tells it later when the topic could not be written, also when the delivery has changed since', async () => {
  const id = await insert('queued')
  await change(id, 'failed', 'channel_deleted')
  failure = new BrokerError('unavailable', 'away')
  await expect(tell()).rejects.toThrow('away')
  failure = undefined
  await database.db
    .updateTable('deliveries')
    .set({ status: 'sending', replay_epoch: 1 })
    .where('id', '=', id)
    .execute()
  await tell()
  expect(produced.map(({ headers }) => headers!['ce_id'])).toEqual([`${formatDeliveryId(id)}/0/2/failed`])
})

it('leaves to workers what they end, and forgets what has been deleted', async () => {
  const ids = await Promise.all(
    (['sent', 'failed', 'retrying', 'dead_lettered'] as const).map(async (status) => {
      const id = await insert('sending')
      await change(id, status)
      return id
    }),
  )
  const deleted = await insert('queued')
  await change(deleted, 'expired')
  await database.db.deleteFrom('deliveries').where('id', '=', deleted).execute()
  await tell()
  expect(ids).toHaveLength(4)
  expect(produced).toEqual([])
  expect(await database.db.selectFrom('untold_changes').selectAll().execute()).toEqual([])
})

it('drops and counts what it would tell when there is no topic for it: it must not fill the store', async () => {
  const id = await insert('queued')
  await change(id, 'expired', 'expired')
  failure = new BrokerError('unknown_topic', 'no such topic')
  await tell()
  expect(await database.db.selectFrom('untold_changes').selectAll().execute()).toEqual([])
  expect(await registry.getSingleMetricAsString('carillon_events_dropped_total')).toContain(
    '{code="unknown_topic"} 1',
  )
})
