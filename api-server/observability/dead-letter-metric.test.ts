import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLogger } from '../../core/observability/logger.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import { registerDeadLetters } from './dead-letter-metric.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const bury = () =>
  database.db
    .insertInto('dead_letters')
    .values({ delivery_id: randomUUID(), tenant: 'default', channel: 'sms', dead_lettered_at: new Date() })
    .execute()

it('counts no oftener than is cheap, and once for all who ask together', async () => {
  const clock = manualClock()
  let counted = 0
  /** Each count takes two seconds. */
  const slow = new Proxy(database.db, {
    get(db, name: 'selectFrom') {
      counted++
      clock.advance(2_000)
      return db[name].bind(db)
    },
  })
  const registry = new Registry()
  registerDeadLetters({
    registry,
    db: slow,
    catalog: staticCatalog({ channels: { sms: 'sms', email: 'email' } }),
    clock,
    logger: createLogger({ level: 'ERROR' }),
  })
  const read = () => registry.getSingleMetricAsString('carillon_dead_letters')
  await bury()
  const texts = await Promise.all([read(), read()])
  for (const text of texts) {
    expect(text).toContain('{namespace="default",channel="sms"} 1')
    expect(text).toContain('{namespace="default",channel="email"} 0')
  }
  expect(counted).toBe(1)
  await bury()
  clock.advance(39_000)
  expect(await read()).toContain('channel="sms"} 1')
  clock.advance(1_000)
  expect(await read()).toContain('channel="sms"} 2')
  expect(counted).toBe(2)
})

it('counts again soon after a database that said nothing for long', async () => {
  const clock = manualClock()
  let silent = true
  const db = new Proxy(database.db, {
    get(real, name: 'selectFrom') {
      if (!silent) return real[name].bind(real)
      clock.advance(32_000)
      return () => ({
        select: () => ({ groupBy: () => ({ execute: () => Promise.reject(new Error('away')) }) }),
      })
    },
  })
  const registry = new Registry()
  const logger = createLogger({ level: 'ERROR' })
  registerDeadLetters({
    registry,
    db,
    catalog: staticCatalog({ channels: { email: 'email' } }),
    clock,
    logger,
  })
  const read = () => registry.getSingleMetricAsString('carillon_dead_letters')
  expect(await read()).not.toContain('channel=')
  silent = false
  clock.advance(30_000)
  expect(await read()).toContain('channel="email"} 0')
})

it('keeps no scrape waiting for a database that is slow', async () => {
  const clock = manualClock()
  const counted = Promise.withResolvers<object[]>()
  const db = new Proxy(database.db, {
    get: () => () => ({ select: () => ({ groupBy: () => ({ execute: () => counted.promise }) }) }),
  })
  const registry = new Registry()
  registerDeadLetters({
    registry,
    db,
    catalog: staticCatalog({ channels: { email: 'email' } }),
    clock,
    logger: createLogger({ level: 'ERROR' }),
  })
  const read = () => registry.getSingleMetricAsString('carillon_dead_letters')
  const early = read()
  clock.advance(1_000)
  expect(await early).not.toContain('channel=')
  counted.resolve([{ tenant: 'default', channel: 'email', count: 3 }])
  expect(await read()).toContain('channel="email"} 3')
})
