import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { listen } from '../../api-server/listen.ts'
import { buildApi } from '../../api-server/server.ts'
import { openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { openCatalog } from '../../core/catalog/reader.ts'
import { systemClock as clock } from '../../core/clock.ts'
import { LiveWorkers } from '../../core/heartbeat/live-workers.ts'
import { catalogTopic, eventsTopic, workersTopic } from '../../core/notification/topics.ts'
import { registerLiveWorkers } from '../../core/observability/live-workers-metric.ts'
import { createLogger, type Logger } from '../../core/observability/logger.ts'
import { createMetrics } from '../../core/observability/metrics.ts'
import { startTracing } from '../../core/observability/start-tracing.ts'
import { awaitTermination } from '../../core/process/signals.ts'
import { Started } from '../../core/process/started.ts'
import type { devSettings } from '../../core/settings/roles.ts'
import { openSecretsFolder } from '../../core/settings/secrets.ts'
import type { Settings } from '../../core/settings/setting.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'
import { startEmbeddedPostgres } from '../../core/store/embedded.ts'
import { migrate } from '../../core/store/migrate.ts'
import { openStore } from '../../core/store/store.ts'
import { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { prepareInstallKey, prepareSecrets, webhookSecret } from './credentials.ts'
import { prepareDataDir } from './data-dir.ts'
import { unknownMailNames } from './mail-names.ts'
import { chooseMailServer, withMailSecret } from './mail-route.ts'
import { startMailCatcher } from './mailbox/mail-catcher.ts'
import { fromSandbox, Mailbox } from './mailbox/mailbox.ts'
import { mailboxPath, mailboxRoutes } from './mailbox/mailbox-routes.ts'
import { webhookReceiver } from './mailbox/webhook-receiver.ts'
import { followManifests } from './manifests.ts'
import { startRoles } from './roles.ts'
import { makeSampleUsers } from './sample-users.ts'
import { printBanner } from './terminal/banner.ts'
import { deliveryReport } from './terminal/delivery-report.ts'
import { type DevLog, openDevLog } from './terminal/log.ts'
import { reportCaught, reportChange } from './terminal/report.ts'
import { openTerminal, plain, type Terminal } from './terminal/terminal.ts'

export type DevSettings = Settings<typeof devSettings>

/** A laptop has one broker, so one copy of everything. */
const replicas = 1
/** The tenant of everything on a laptop: resources without a namespace are in it. */
const tenant = 'default'

/** `carillon dev`: everything in one process, until SIGTERM or SIGINT. Throws StartRefused on what the developer can mend. */
export async function dev(settings: DevSettings): Promise<void> {
  const terminal = openTerminal(process.stdout)
  const { signal, requested } = awaitTermination()
  prepareDataDir(settings.dataDir)
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

  const postgres = await startEmbeddedPostgres({
    dataDir,
    logger: logger.child({ component: 'store' }),
    signal,
  })
  const endAtOnce = () => process.kill(postgres.pid, 'SIGQUIT')
  process.once('exit', endAtOnce)
  started.add('PostgreSQL', async () => {
    process.off('exit', endAtOnce)
    await postgres.stop()
  })
  rmSync(endpointFile, { force: true })
  const store = openStore({ url: postgres.url, logger: logger.child({ component: 'store' }) })
  started.add('store', () => store.close())
  const { db } = store
  await migrate(db)
  await makeSampleUsers(db, tenant, new Date(clock.now()))

  const broker = await openEmbeddedBroker({ db, logger: logger.child({ component: 'broker' }) })
  started.add('broker', () => broker.close())
  await broker.admin.createTopics(installTopicSpecs(prefix, replicas))
  const topic = catalogTopic(prefix)
  const catalog = await openCatalog({ broker, topic, logger: logger.child({ component: 'catalog' }) })
  started.add('catalog', () => catalog.close())
  const templates = new TemplateThreads({ logger: logger.child({ component: 'templates' }) })
  started.add('templates', () => templates.close())

  const mailbox = new Mailbox(clock)
  mailbox.onCaught((caught) => reportCaught(caught, terminal))
  const catcher = await startMailCatcher(mailbox)
  started.add('mail catcher', () => catcher.close())
  const mail = chooseMailServer(settings, catcher)
  const readSecret = withMailSecret(mail, openSecretsFolder(prepareSecrets(settings), clock))

  signal.throwIfAborted()
  await followManifests({
    directory: settings.manifests,
    prefix,
    broker,
    catalog,
    templates,
    mail,
    terminal,
    logger,
    started,
  })

  const registry = createMetrics()
  const keys = prepareInstallKey(dataDir)
  const { planner, workers } = await startRoles({
    prefix,
    retention: settings.historyRetention,
    db,
    broker,
    catalog,
    templates,
    keys,
    logger,
    registry,
    started,
    readSecret,
    capture: (message, { deliveryId }) => void mailbox.add(fromSandbox(message, deliveryId)),
  })

  const heartbeats = {
    broker,
    topic: workersTopic(prefix),
    clock,
    logger: logger.child({ component: 'heartbeats' }),
  }
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
    links: [{ href: mailboxPath, text: 'The mailbox: what was sent on this machine' }],
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
  const unknown = unknownMailNames(process.env)
  if (unknown !== undefined) logger.warn(unknown)
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
