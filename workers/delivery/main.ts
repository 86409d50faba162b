import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { openCatalog } from '../../core/catalog/reader.ts'
import { systemClock as clock } from '../../core/clock.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import { awaitBroker, awaitDatabase } from '../../core/process/await-parts.ts'
import { runProcess } from '../../core/process/run-process.ts'
import { kafkaConnection } from '../../core/settings/kafka.ts'
import type { workerSettings } from '../../core/settings/roles.ts'
import { openSecretsFolder, type SecretReader } from '../../core/settings/secrets.ts'
import type { Settings } from '../../core/settings/setting.ts'
import type { ChannelName } from '../../core/settings/values.ts'
import { openStore } from '../../core/store/store.ts'
import { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { ChannelWorkers } from './channel-workers.ts'
import { withHeartbeats } from './heartbeat.ts'
import { openLedger } from './ledger/postgres-ledger.ts'
import { openRedisLimits } from './limits/redis-limits.ts'
import { createDeliveryMetrics } from './metrics.ts'
import { openProviders } from './providers.ts'
import { startDeliveryWorker } from './worker.ts'

/** Connections to PostgreSQL. Claims and outcomes go in batches, and a server has 100 by default for all processes. */
const poolSize = 5

/**
 * `carillon worker`: delivers what is on one channel, until SIGTERM or SIGINT. Follows the channel in the catalog: a new spec takes over
 * once what is in flight has finished, and while the channel is suspended, or not there, nothing is consumed. Throws StartRefused.
 */
export async function worker(settings: Settings<typeof workerSettings>): Promise<void> {
  const kafka = kafkaConnection(settings)
  const { topicPrefix: prefix } = settings
  const { namespace, name } = settings.channel

  await runProcess({ role: 'worker', ...settings }, async ({ logger, metrics, started, signal }) => {
    const channel = `${namespace}/${name}`
    const store = openStore({ url: settings.databaseUrl, logger, poolSize })
    started.add('store', () => store.close())
    await awaitDatabase(store, { logger, signal })
    const broker = openKafkaBroker({ ...kafka, clientId: `carillon-worker-${namespace}.${name}`, logger })
    started.add('broker', () => broker.close())
    const topic = catalogTopic(prefix)
    const catalog = await awaitBroker(() => openCatalog({ broker, topic, logger }), { logger, signal })
    started.add('catalog', () => catalog.close())
    const templates = new TemplateThreads({ logger })
    started.add('templates', () => templates.close())

    const deliveryMetrics = createDeliveryMetrics(metrics)
    const sharedLimits =
      settings.redisUrl === undefined
        ? undefined
        : openRedisLimits({
            url: settings.redisUrl,
            prefix,
            clock,
            logger,
            shared: deliveryMetrics.limits.rateLimitShared,
          })
    started.add('Redis', async () => sharedLimits?.close())

    const shared = {
      sharedLimits,
      broker,
      catalog,
      templates,
      prefix,
      clock,
      logger,
      metrics: deliveryMetrics,
      sourceMetrics: createSourceMetrics(metrics),
    }
    const readSecret = secretReader(settings.secretsDir)
    const workers = new ChannelWorkers({
      catalog: only(catalog, settings.channel),
      clock,
      logger,
      async start(channel, signal) {
        const workerId = `${hostname()}-${randomUUID()}`
        const worker = await startDeliveryWorker(
          {
            ...shared,
            channel,
            ledger: openLedger({ db: store.db, workerId, metrics: deliveryMetrics.ledger }),
            providers: openProviders(channel, { readSecret, clock, capture: undefined }),
          },
          signal,
        )
        return withHeartbeats(worker, { ...shared, channel, workerId })
      },
    })
    started.add('worker', () => workers.stop())
    await workers.start()
    if (catalog.channel(namespace, name) === undefined)
      logger.warn({ channel }, 'The channel is not in the catalog; its worker starts when it is')
    return {
      ready: () => catalog.channel(namespace, name) !== undefined && workers.ready(),
      failed: workers.failed,
    }
  })
}

/** The catalog as if this channel were the only one. */
function only(catalog: Catalog, { namespace, name }: ChannelName): Pick<Catalog, 'channels' | 'onChange'> {
  return {
    channels: () => catalog.channels(namespace).filter(({ resource }) => resource.metadata.name === name),
    onChange: (listener) => catalog.onChange(listener),
  }
}

/** Without a folder there are no secrets: channels whose providers need none do without. */
function secretReader(folder: string | undefined): SecretReader {
  return folder === undefined ? () => undefined : openSecretsFolder(folder, clock)
}
