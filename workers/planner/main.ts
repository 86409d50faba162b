import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { openCatalog } from '../../core/catalog/reader.ts'
import { systemClock } from '../../core/clock.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import { awaitBroker, awaitDatabase } from '../../core/process/await-parts.ts'
import { runProcess } from '../../core/process/run-process.ts'
import { readInstallKey } from '../../core/settings/install-key.ts'
import { kafkaConnection } from '../../core/settings/kafka.ts'
import type { plannerSettings } from '../../core/settings/roles.ts'
import type { Settings } from '../../core/settings/setting.ts'
import { openStore } from '../../core/store/store.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { createSweeperMetrics } from '../sweeper/metrics.ts'
import { Sweeper } from '../sweeper/sweeper.ts'
import { startReplayer } from '../replayer/replayer.ts'
import { startPlanner } from './planner.ts'
import { openPlannerStore } from './store.ts'

/** Connections to PostgreSQL. Requests are planned in batches, and a server has 100 by default for all processes. */
const poolSize = 5

/** `carillon planner`: turns accepted requests into deliveries and replays dead letters, until SIGTERM or SIGINT. Throws StartRefused. */
export async function planner(settings: Settings<typeof plannerSettings>): Promise<void> {
  const kafka = kafkaConnection(settings)
  const keys = readInstallKey(settings.installKeyFile)
  const { topicPrefix: prefix } = settings

  await runProcess({ role: 'planner', ...settings }, async ({ logger, metrics, started, signal }) => {
    const store = openStore({ url: settings.databaseUrl, logger, poolSize })
    started.add('store', () => store.close())
    await awaitDatabase(store, { logger, signal })
    const broker = openKafkaBroker({ ...kafka, clientId: 'carillon-planner', logger })
    started.add('broker', () => broker.close())
    const topic = catalogTopic(prefix)
    const catalog = await awaitBroker(() => openCatalog({ broker, topic, logger }), { logger, signal })
    started.add('catalog', () => catalog.close())

    const shared = {
      broker,
      store: openPlannerStore(store.db),
      catalog,
      keys,
      prefix,
      clock: systemClock,
      logger,
      metrics: createSourceMetrics(metrics),
    }
    const start = () => startPlanner(shared)
    const planner = await awaitBroker(start, { logger, signal })
    started.add('planner', () => planner.stop())
    const sweeper = new Sweeper({
      ...shared,
      db: store.db,
      admin: broker.admin,
      producer: broker.producer,
      retention: settings.historyRetention,
      events: shared.metrics.events,
      metrics: createSweeperMetrics(metrics),
    })
    sweeper.start()
    started.add('sweeper', () => sweeper.stop())
    const replayer = startReplayer({ ...shared, db: store.db })
    started.add('replayer', () => replayer.stop())
    return planner
  })
}
