import { randomBytes } from 'node:crypto'
import { openKafkaBroker } from '../core/broker/kafka.ts'
import { openCatalog } from '../core/catalog/reader.ts'
import { systemClock as clock } from '../core/clock.ts'
import { catalogTopic, workersTopic } from '../core/notification/topics.ts'
import { LiveWorkers } from '../core/heartbeat/live-workers.ts'
import { registerLiveWorkers } from '../core/observability/live-workers-metric.ts'
import { awaitBroker, awaitDatabase } from '../core/process/await-parts.ts'
import { runProcess } from '../core/process/run-process.ts'
import { readInstallKey } from '../core/settings/install-key.ts'
import { kafkaConnection } from '../core/settings/kafka.ts'
import type { apiSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { openStore } from '../core/store/store.ts'
import { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { listen } from './listen.ts'
import { buildApi } from './server.ts'

/** Connections to PostgreSQL. Accepting needs none, and a server has 100 by default for all processes. */
const poolSize = 10

/** `carillon api`: accepts requests over HTTP and writes them to Kafka, until SIGTERM or SIGINT. Throws StartRefused. */
export async function api(settings: Settings<typeof apiSettings>): Promise<void> {
  const kafka = kafkaConnection(settings)
  const keys = readInstallKey(settings.installKeyFile)
  const { topicPrefix: prefix } = settings

  await runProcess({ role: 'api', ...settings }, async ({ logger, metrics, started, signal }) => {
    const broker = openKafkaBroker({ ...kafka, clientId: 'carillon-api', logger })
    started.add('broker', () => broker.close())
    const store = openStore({ url: settings.databaseUrl, logger, poolSize })
    started.add('store', () => store.close())
    // Requests are accepted without the database, so the start does not wait for it: it only says what is wrong.
    const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
    awaitDatabase(store, { logger, signal }).catch((error: unknown) => {
      if (!signal.aborted) fail(error as Error)
    })

    const topic = catalogTopic(prefix)
    const catalog = await awaitBroker(() => openCatalog({ broker, topic, logger }), { logger, signal })
    started.add('catalog', () => catalog.close())
    const workers = LiveWorkers.open({ broker, topic: workersTopic(prefix), clock, logger })
    started.add('heartbeats', () => workers.close())
    registerLiveWorkers({ registry: metrics, workers, catalog })
    const templates = new TemplateThreads({ logger })
    started.add('templates', () => templates.close())
    const server = await buildApi({
      catalog,
      templates,
      broker,
      db: store.db,
      keys,
      prefix,
      logger,
      metrics,
      clock,
      randomBytes,
      isReady: () => !signal.aborted,
    })
    started.add('API', () => server.close())
    logger.info({ url: await listen(server, settings.listen) }, 'Listening')
    return { ready: () => catalog.synced(), failed }
  })
}
