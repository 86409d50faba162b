/**
 * Our API as it is in production, with its catalog and its store, and neither planner nor worker beside it: `carillon.ts BROKER`.
 *
 * embedded   the broker of `carillon dev`, every commit on disk
 * instant    one that acknowledges at once and keeps nothing: what is left is the work of the API itself
 * host:port  Kafka
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApi } from '../../../api-server/server.ts'
import type { Broker, Producer } from '../../../core/broker/broker.ts'
import { openEmbeddedBroker } from '../../../core/broker/embedded.ts'
import { openKafkaBroker } from '../../../core/broker/kafka.ts'
import { installTopicSpecs } from '../../../core/broker/topic-specs.ts'
import { openFolder } from '../../../core/catalog/folder.ts'
import { kinds } from '../../../core/catalog/kinds.ts'
import { publishCatalog } from '../../../core/catalog/publisher.ts'
import { openCatalog } from '../../../core/catalog/reader.ts'
import type { Resource } from '../../../core/catalog/records.ts'
import { systemClock as clock } from '../../../core/clock.ts'
import { deriveInstallKeys } from '../../../core/notification/ids.ts'
import { catalogTopic } from '../../../core/notification/topics.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { createMetrics } from '../../../core/observability/metrics.ts'
import { startEmbeddedPostgres } from '../../../core/store/embedded.ts'
import { checkTemplate } from '../../../core/template/check.ts'
import { migrate } from '../../../core/store/migrate.ts'
import { openStore } from '../../../core/store/store.ts'
import { TemplateThreads } from '../../../core/template/threads/template-threads.ts'
import { serve } from './serve.ts'

const prefix = 'bench'
const logger = createLogger({ level: 'WARNING', destination: process.stderr })
const samples = join(import.meta.dirname, '../../../deploy/samples')

const instant: Producer = {
  produce: async (records) => records.map(({ topic }, offset) => ({ topic, partition: 0, offset })),
}

const dataDir = await mkdtemp(join(tmpdir(), 'carillon-bench-'))
const postgres = await startEmbeddedPostgres({ dataDir, logger })
const store = openStore({ url: postgres.url, logger })
const { db } = store
await migrate(db)
const [kind = 'embedded'] = process.argv.slice(2)
const broker = kind.includes(':')
  ? openKafkaBroker({ bootstrapServers: [kind], clientId: 'bench', logger })
  : await openEmbeddedBroker({ db, logger })
await broker.admin.createTopics(installTopicSpecs(prefix, 1))
const catalog = await openSamples(broker)
const templates = new TemplateThreads({ logger })
const app = await buildApi({
  catalog,
  templates,
  broker: kind === 'instant' ? { producer: instant, admin: broker.admin } : broker,
  db,
  keys: deriveInstallKeys(randomBytes(32)),
  prefix,
  logger,
  metrics: createMetrics(),
  clock,
  randomBytes,
  isReady: () => true,
})
await serve(app, async () => {
  await templates.close()
  await catalog.close()
  await broker.close()
  await store.close()
  await postgres.stop()
  await rm(dataDir, { recursive: true })
})

async function openSamples(broker: Broker) {
  const topic = catalogTopic(prefix)
  const catalog = await openCatalog({ broker, topic, logger })
  const { promise, resolve } = Promise.withResolvers<readonly Resource[]>()
  const onChange = ({ resources }: { resources: readonly Resource[] }) => resolve(resources)
  const folder = await openFolder({
    directory: samples,
    kinds,
    checkTemplate: async (template) => checkTemplate(template),
    prefix,
    logger,
    onChange,
  })
  const resources = await promise
  await folder.close()
  await publishCatalog({
    producer: broker.producer,
    topic,
    source: 'folder',
    resources,
    published: catalog.published(),
  })
  return catalog
}
