import { sql } from 'kysely'
import { describeLedger, type LedgerBench } from '../../../test/conformance/ledger.ts'
import { queuedDelivery } from '../../../test/harness/ledger-rows.ts'
import { testDatabase } from '../../../test/harness/postgres/postgres.ts'
import { openLedger } from './postgres-ledger.ts'

describeLedger('G2 G3: the ledger on PostgreSQL', start)

async function start(): Promise<LedgerBench> {
  const { db, close } = await testDatabase()
  return {
    open: (workerId) => openLedger({ db, workerId }),
    async queue(id) {
      await db.insertInto('deliveries').values(queuedDelivery(id)).execute()
    },
    async expireLease(id) {
      await sql`UPDATE deliveries SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = ${id}`.execute(
        db,
      )
    },
    async statusOf(id) {
      const row = await db.selectFrom('deliveries').select('status').where('id', '=', id).executeTakeFirst()
      return row?.status
    },
    attemptsOf: (id) =>
      db
        .selectFrom('attempts')
        .select(['attempt', 'claim', 'owner', 'outcome'])
        .where('delivery_id', '=', id)
        .orderBy('attempt')
        .orderBy('claim')
        .execute(),
    async heldOf(id) {
      const held = db.selectFrom('held_records').select('value').where('delivery_id', '=', id)
      return (await held.executeTakeFirst())?.value?.toString()
    },
    close,
  }
}
