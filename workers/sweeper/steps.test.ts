import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { createEventMetrics } from '../../core/events/publisher.ts'
import { deriveInstallKeys } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { holdRecords } from '../../core/store/held-records.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { createSweeperMetrics } from './metrics.ts'
import { Sweeper } from './sweeper.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

it('G4: a step that fails keeps none of the others of its round, and is counted', async () => {
  const { db } = database
  const [delivery, notification] = [randomUUID(), randomUUID()]
  const longAgo = new Date(Date.now() - 40 * 86_400_000)
  const row = {
    tenant: 'default',
    channel: 'sms',
    channel_type: 'sms',
    recipient: 'phone:+15550100',
  } as const
  const times = { expires_at: longAgo, created_at: longAgo, updated_at: longAgo }
  await db
    .insertInto('deliveries')
    .values({ ...row, ...times, id: delivery, notification_id: delivery, status: 'queued' })
    .execute()
  await db
    .insertInto('notifications')
    .values({
      id: notification,
      tenant: 'default',
      body_hash: Buffer.alloc(32),
      metadata: '{}',
      accepted_at: longAgo,
    })
    .execute()
  const letter = {
    topic: 'defective',
    key: null,
    value: null,
    headers: {},
    delivery: randomUUID(),
    state: null,
  }
  await holdRecords(db, [letter])

  const { broker, refusals, produced } = scriptedBroker()
  refusals.set('defective', new TypeError('a defect'))
  const lines: string[] = []
  const registry = new Registry()
  const sweeper = new Sweeper({
    db,
    admin: broker.admin,
    producer: broker.producer,
    keys: deriveInstallKeys(Buffer.alloc(32, 1)),
    catalog: staticCatalog({ channels: { sms: 'sms' } }),
    prefix: 'p',
    retention: 30 * 86_400_000,
    clock: systemClock,
    logger: createLogger({ level: 'WARNING', destination: { write: (line) => void lines.push(line) } }),
    events: createEventMetrics(registry),
    metrics: createSweeperMetrics(registry),
  })
  await sweeper.sweep()

  const ended = await db.selectFrom('deliveries').select('status').where('id', '=', delivery).execute()
  expect(ended).toEqual([{ status: 'expired' }])
  expect(await db.selectFrom('notifications').select('id').execute()).toEqual([])
  expect(produced.map(({ topic }) => topic)).toEqual(['p.events'])
  const { values } = await registry.getSingleMetric('carillon_sweep_failures_total')!.get()
  expect(values.filter(({ value }) => value > 0)).toMatchObject([{ labels: { step: 'release' }, value: 1 }])
  expect(lines.join()).toContain('a defect')
})
