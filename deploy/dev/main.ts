import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { listen } from '../../api-server/listen.ts'
import { buildApi } from '../../api-server/server.ts'
import { BrokerError } from '../../core/broker/broker.ts'
import { openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { openFolder } from '../../core/catalog/folder.ts'
import { kinds } from '../../core/catalog/kinds.ts'
import { openCatalog } from '../../core/catalog/reader.ts'
import type { Resource } from '../../core/catalog/records.ts'
import { systemClock as clock } from '../../core/clock.ts'
import type { Message } from '../../core/notification/message.ts'
import type { InstallKeys } from '../../core/notification/ids.ts'
import { LiveWorkers } from '../../core/heartbeat/live-workers.ts'
import { registerLiveWorkers } from '../../core/observability/live-workers.ts'
import { catalogTopic, eventsTopic, workersTopic } from '../../core/notification/topics.ts'
import type { SendContext } from '../../core/providers/provider.ts'
import { createLogger, type Logger } from '../../core/observability/logger.ts'
import { createMetrics } from '../../core/observability/metrics.ts'
import { startTracing } from '../../core/observability/start-tracing.ts'
import type { devSettings } from '../../core/settings/roles.ts'
import { readInstallKey } from '../../core/settings/install-key.ts'
import { openSecretsFolder } from '../../core/settings/secrets.ts'
import type { Settings } from '../../core/settings/setting.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'
import { startEmbeddedPostgres } from '../../core/store/embedded.ts'
import { migrate } from '../../core/store/migrate.ts'
import { openStore } from '../../core/store/store.ts'
import { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { withHeartbeats } from '../../workers/delivery/heartbeat.ts'
import { openLedger } from '../../workers/delivery/postgres-ledger.ts'
import { openProviders } from '../../workers/delivery/providers.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import { createSweeperMetrics } from '../../workers/sweeper/metrics.ts'
import { Sweeper } from '../../workers/sweeper/sweeper.ts'
import { startReplayer } from '../../workers/replayer/replayer.ts'
import { printBanner } from './banner.ts'
import { ChannelWorkers } from '../../workers/delivery/channel-workers.ts'
import { deliveryReport } from './delivery-report.ts'
import { FolderPublisher, withLastGood } from './folder-publisher.ts'
import { type DevLog, openDevLog } from './log.ts'
import { startMailCatcher } from './mail-catcher.ts'
import { chooseMailServer, routeMail, withMailSecret } from './mail-route.ts'
import { fromSandbox, Mailbox } from './mailbox.ts'
import { mailboxRoutes } from './mailbox-routes.ts'
import { keepPrivateFile } from './private-file.ts'
import { problemReport, reportCaught, reportChange } from './report.ts'
import { makeSampleUsers } from './sample-users.ts'
import { awaitTermination } from '../../core/process/signals.ts'
import { Started } from '../../core/process/started.ts'
import { openTerminal, plain, type Terminal } from './terminal.ts'
import { webhookReceiver } from './webhook-receiver.ts'

export type DevSettings = Settings<typeof devSettings>

/** A laptop has one broker, so one copy of everything. */
const replicas = 1
/** The tenant of everything on a laptop: resources without a namespace are in it. */
const tenant = 'default'
/** The Secret of the sample channel `webhook`, and so of the receiver. */
const webhookSecret = { name: 'webhook-signing', key: 'secret' }

/** `carillon dev`: everything in one process, until SIGTERM or SIGINT. Throws StartRefused on what the developer can mend. */
export async function dev(settings: DevSettings): Promise<void> {
  const terminal = openTerminal(process.stdout)
  const { signal, requested } = awaitTermination()
  const log = openLog(settings.dataDir, terminal)
  const logger = createLogger({ level: settings.logLevel, destination: log })
  const started = new Started(logger)
  if (!existsSync(join(settings.dataDir, 'postgres'))) {
    terminal.line('First start: the database is made, which takes a few seconds')
  }
  try {
    const { databaseEnded } = await start({ settings, terminal, log, logger, started, signal })
    const failure = await Promise.race([requested, databaseEnded])
    if (failure !== undefined) throw new StartRefused(failure)
    terminal.line('Finishing what is in flight. Once more to end at once.')
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await started.stop()
    log.close()
  }
}

interface StartOptions {
  settings: DevSettings
  terminal: Terminal
  log: DevLog
  logger: Logger
  started: Started
  signal: AbortSignal
}

async function start({ settings, terminal, log, logger, started, signal }: StartOptions) {
  const { dataDir, topicPrefix: prefix } = settings
  const endpointFile = join(dataDir, 'endpoint')
  const tracing = await startTracing({ service: 'carillon-dev', logger })
  if (tracing) started.add('traces', () => tracing.stop())

  const postgres = await startEmbeddedPostgres({ dataDir, logger: component(logger, 'store'), signal })
  const endAtOnce = () => process.kill(postgres.pid, 'SIGQUIT')
  process.once('exit', endAtOnce)
  started.add('PostgreSQL', async () => {
    process.off('exit', endAtOnce)
    await postgres.stop()
  })
  rmSync(endpointFile, { force: true })
  const store = openStore({ url: postgres.url, logger: component(logger, 'store') })
  started.add('store', () => store.close())
  const { db } = store
  await migrate(db)
  await makeSampleUsers(db, tenant, new Date(clock.now()))

  const broker = await openEmbeddedBroker({ db, logger: component(logger, 'broker') })
  started.add('broker', () => broker.close())
  await broker.admin.createTopics(installTopicSpecs(prefix, replicas))
  const topic = catalogTopic(prefix)
  const catalog = await openCatalog({ broker, topic, logger: component(logger, 'catalog') })
  started.add('catalog', () => catalog.close())
  const templates = new TemplateThreads({ logger: component(logger, 'templates') })
  started.add('templates', () => templates.close())

  const mailbox = new Mailbox(clock)
  mailbox.onCaught((caught) => reportCaught(caught, terminal))
  const catcher = await startMailCatcher(mailbox)
  started.add('mail catcher', () => catcher.close())
  const mail = chooseMailServer(settings, catcher)
  const readSecret = withMailSecret(mail, openSecretsFolder(prepareSecrets(settings)))

  signal.throwIfAborted()
  await followManifests()

  /** Also of suspended channels, which are sent to all the same. One whose topics are refused keeps no other waiting. */
  async function createTopics(resources: readonly Resource[]): Promise<void> {
    for (const resource of resources) {
      if (resource.kind !== 'NotificationChannel') continue
      const { name } = resource.metadata
      await broker.admin.createTopics(channelTopicSpecs(prefix, resource)).catch((error: unknown) => {
        if (!(error instanceof BrokerError && error.code === 'invalid')) throw error
        logger.error({ err: error, channel: name }, 'Topics not made')
      })
    }
  }

  async function followManifests(): Promise<void> {
    const publisher = new FolderPublisher({
      producer: broker.producer,
      catalog,
      topic,
      prepare: createTopics,
      logger: component(logger, 'catalog'),
    })
    started.add('publisher', () => publisher.stop())
    const published = Promise.withResolvers<void>()
    const reportProblems = problemReport(terminal)
    const folder = await openFolder({
      directory: existingFolder(settings.manifests),
      kinds,
      checkTemplate: (template) => templates.check(template),
      prefix,
      logger: component(logger, 'folder'),
      onChange({ resources, problems }) {
        reportProblems(problems)
        const wanted = problems.length === 0 ? resources : withLastGood(resources, catalog)
        publisher
          .publish(wanted.map((resource) => routeMail(resource, mail)))
          .then(published.resolve, published.reject)
      },
    })
    started.add('folder', () => folder.close())
    await published.promise
  }

  const registry = createMetrics()
  const sourceMetrics = createSourceMetrics(registry)
  const keys = prepareInstallKey(dataDir)
  const forPlanner = { broker, catalog, keys, prefix, clock, metrics: sourceMetrics }
  const planner = await startPlanner({
    ...forPlanner,
    store: openPlannerStore(db),
    logger: component(logger, 'planner'),
  })
  const sweeper = new Sweeper({
    db,
    admin: broker.admin,
    producer: broker.producer,
    keys,
    catalog,
    prefix,
    retention: settings.historyRetention,
    clock,
    logger: component(logger, 'sweeper'),
    events: sourceMetrics.events,
    metrics: createSweeperMetrics(registry),
  })
  sweeper.start()
  started.add('sweeper', () => sweeper.stop())
  const replayer = startReplayer({ ...forPlanner, db, logger: component(logger, 'replayer') })
  const forWorkers = {
    broker,
    prefix,
    catalog,
    templates,
    clock,
    logger: component(logger, 'worker'),
    metrics: createDeliveryMetrics(registry),
    sourceMetrics,
  }
  const forProviders = {
    readSecret,
    clock,
    capture: (message: Message, { deliveryId }: SendContext) =>
      void mailbox.add(fromSandbox(message, deliveryId)),
  }
  const workers = new ChannelWorkers({
    catalog,
    clock,
    logger: component(logger, 'worker'),
    async start(channel) {
      const workerId = `dev-${randomUUID()}`
      const worker = await startDeliveryWorker({
        ...forWorkers,
        channel,
        ledger: openLedger({ db, workerId, metrics: forWorkers.metrics.ledger }),
        providers: openProviders(channel, forProviders),
      })
      return withHeartbeats(worker, { ...forWorkers, channel, workerId })
    },
  })
  started.add('planner, replayer and workers', () =>
    Promise.all([planner.stop(), replayer.stop(), workers.stop()]),
  )
  await workers.start()

  const heartbeats = { broker, topic: workersTopic(prefix), clock, logger: component(logger, 'heartbeats') }
  const liveWorkers = LiveWorkers.open(heartbeats)
  started.add('heartbeats', () => liveWorkers.close())
  registerLiveWorkers({ registry, workers: liveWorkers, catalog })

  signal.throwIfAborted()
  const api = await buildApi({
    catalog,
    templates,
    broker,
    db,
    keys,
    prefix,
    logger,
    metrics: registry,
    clock,
    randomBytes,
    isReady: () => !signal.aborted && planner.ready() && workers.ready(),
  })
  started.add('API', () => api.close())
  await api.register(mailboxRoutes, { mailbox })
  const { name, key } = webhookSecret
  await api.register(webhookReceiver, { mailbox, secret: () => readSecret(name, key), clock })
  const url = await listen(api, settings.listen)

  printBanner({
    catalog,
    url,
    mail: { ...mail, caught: settings.emailHost === undefined },
    logFile: relative('', log.file),
    terminal,
  })
  const report = deliveryReport({ url, since: clock.now(), terminal })
  writeFileSync(endpointFile, `${url}\n`)
  started.add('endpoint', async () => rmSync(endpointFile, { force: true }))
  catalog.onChange((key) => {
    if (key !== undefined) reportChange(key, catalog.published().has(key), terminal)
  })
  const following = await broker.follow(eventsTopic(prefix), report)
  started.add('events', () => following.close())
  return { databaseEnded: postgres.ended }
}

function component(logger: Logger, name: string): Logger {
  return logger.child({ component: name })
}

function openLog(dataDir: string, terminal: Terminal): DevLog {
  const colours = { WARNING: 'yellow', ERROR: 'red' } as const
  try {
    return openDevLog(join(dataDir, 'log'), (text, urgency) => {
      terminal.line(`${terminal.style(colours[urgency], urgency.toLowerCase())} ${plain(text, 300)}`)
    })
  } catch (error) {
    throw new StartRefused(`CARILLON_DATA_DIR: ${(error as Error).message}`, 1, { cause: error })
  }
}

/** The folder of secrets. In our own one the sample webhook channel finds a signing secret, as its receiver does. */
function prepareSecrets({ secretsDir, dataDir }: DevSettings): string {
  if (secretsDir !== undefined) return secretsDir
  const folder = join(dataDir, 'secrets')
  const { name, key } = webhookSecret
  keepPrivateFile(join(folder, name, key), () => Buffer.from(`whsec_${randomBytes(32).toString('base64')}\n`))
  return folder
}

function prepareInstallKey(dataDir: string): InstallKeys {
  const file = join(dataDir, 'install.key')
  keepPrivateFile(file, () => randomBytes(32))
  return readInstallKey(file, 'CARILLON_DATA_DIR')
}

function existingFolder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new StartRefused(`CARILLON_MANIFESTS: ${path} does not exist`)
  }
  return path
}
