import { openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { migrate } from '../../core/store/migrate.ts'
import { openStore } from '../../core/store/store.ts'
import { startStoppablePostgres } from '../harness/postgres/stoppable-postgres.ts'
import { describeBroker } from './broker.ts'
import type { BrokerCluster } from './broker/harness.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

describeBroker('the embedded broker', { start, restarts: true, timeout: 120_000 })

/** The broker on a PostgreSQL of its own, because the suite kills it. */
async function start(): Promise<BrokerCluster> {
  const postgres = await startStoppablePostgres()
  const store = openStore({ url: postgres.url, logger })
  await migrate(store.db)
  const broker = await openEmbeddedBroker({ db: store.db, logger })
  let topics = 0
  return {
    open: async () => broker.client(),
    topicName: () => `topic-${++topics}`,
    clean: () => broker.clean(),
    async restart(whileDown) {
      await postgres.kill()
      await whileDown()
      await postgres.start()
    },
    async close() {
      await broker.close()
      await store.close()
      await postgres.remove()
    },
    capabilities: { deadlineMs: 30_000, cleaningMs: 30_000, recoveryMs: 60_000 },
  }
}
