import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLogger } from '../../../core/observability/logger.ts'
import { migrate } from '../../../core/store/migrate.ts'
import { openStore, type Store } from '../../../core/store/store.ts'
import { finishEntry, queuedDelivery } from '../../../test/harness/ledger-rows.ts'
import { emptyTestDatabase } from '../../../test/harness/postgres/postgres.ts'
import { openLedger } from './postgres-ledger.ts'

const rows = 5_000
const batch = 100

let store: Store

beforeAll(async () => {
  // One connection, which can be told to hand its statistics in.
  const url = await emptyTestDatabase()
  store = openStore({ url, logger: createLogger({ level: 'ERROR' }), poolSize: 1 })
  await migrate(store.db)
})
afterAll(() => store.close())

test('claims and outcomes look rows up by their ids, and by plans that are kept, also in a table of a size at which a scan seems cheaper', async () => {
  const ledger = openLedger({ db: store.db, workerId: 'worker' })
  // Plans that are made while there is next to nothing.
  const id = randomUUID()
  await store.db.insertInto('deliveries').values(queuedDelivery(id)).execute()
  await ledger.claim({ ...finishEntry(id), leaseMilliseconds: 60_000 })
  await sql`ANALYZE deliveries, attempts`.execute(store.db)
  for (let time = 0; time < 10; time++) {
    const entry = finishEntry(randomUUID())
    expect(await ledger.claim({ ...entry, leaseMilliseconds: 60_000 })).toEqual({ kind: 'missing' })
    expect(await ledger.finish(entry)).toBe('lost')
  }
  await sql`
    INSERT INTO deliveries (id, notification_id, tenant, channel, channel_type, recipient, status, created_at, updated_at)
    SELECT md5(n::text)::uuid, gen_random_uuid(), 'shop', 'hooks', 'webhook', 'user:ada', 'queued', now(), now()
    FROM generate_series(1, ${rows}::int) n`.execute(store.db)
  const ids = await sql<{ id: string }>`SELECT id FROM deliveries WHERE attempt = 0`.execute(store.db)
  const before = await scans()
  for (let first = 0; first < rows; first += batch * 10) {
    const refs = ids.rows.slice(first, first + batch).map(({ id }) => ({ id, replayEpoch: 0, attempt: 1 }))
    const claims = await Promise.all(refs.map((ref) => ledger.claim({ ...ref, leaseMilliseconds: 60_000 })))
    expect(claims.every(({ kind }) => kind === 'claimed')).toBe(true)
    expect(await Promise.all(refs.map(({ id }) => ledger.finish(finishEntry(id))))).toEqual(
      refs.map(() => 'recorded'),
    )
  }
  expect(await scans()).toBe(before)
  expect(await plans()).toEqual([
    { name: 'claim', kept: true },
    { name: 'finish', kept: true },
  ])
})

/** How often `deliveries` or `attempts` was read from one end to the other. */
async function scans(): Promise<number> {
  await sql`SELECT pg_stat_force_next_flush()`.execute(store.db)
  const found = await sql<{ scans: number }>`
    SELECT sum(seq_scan)::int AS scans FROM pg_stat_user_tables WHERE relname IN ('deliveries', 'attempts')`.execute(
    store.db,
  )
  return found.rows[0]!.scans
}

/** Of which statements PostgreSQL uses one plan again and again. */
async function plans(): Promise<{ name: string; kept: boolean }[]> {
  const found = await sql<{ name: string; kept: boolean }>`
    SELECT name, generic_plans > custom_plans AS kept FROM pg_prepared_statements WHERE name <> '' ORDER BY name`.execute(
    store.db,
  )
  return found.rows
}
