import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Registry } from 'prom-client'
import type { Broker } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { systemClock as clock } from '../../core/clock.ts'
import type { InstallKeys } from '../../core/notification/ids.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Started } from '../../core/process/started.ts'
import type { Capture } from '../../core/providers/provider.ts'
import type { Database } from '../../core/store/schema.ts'
import type { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { ChannelWorkers } from '../../workers/delivery/channel-workers.ts'
import { withHeartbeats } from '../../workers/delivery/heartbeat.ts'
import { openLedger } from '../../workers/delivery/ledger/postgres-ledger.ts'
import { createDeliveryMetrics } from '../../workers/delivery/metrics.ts'
import { openProviders, type ReadSecret } from '../../workers/delivery/providers.ts'
import { startDeliveryWorker } from '../../workers/delivery/worker.ts'
import { startPlanner } from '../../workers/planner/planner.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'
import { startReplayer } from '../../workers/replayer/replayer.ts'
import type { Running } from '../../workers/running.ts'
import { createSourceMetrics } from '../../workers/source-metrics.ts'
import { createSweeperMetrics } from '../../workers/sweeper/metrics.ts'
import { Sweeper } from '../../workers/sweeper/sweeper.ts'

export interface StartRolesOptions {
  /** Prefix of the topics. */
  prefix: string
  /** Milliseconds that notifications are kept. */
  retention: number
  db: Kysely<Database>
  broker: Broker
  catalog: Catalog
  templates: TemplateThreads
  keys: InstallKeys
  logger: Logger
  registry: Registry
  started: Started
  readSecret: ReadSecret
  capture: Capture
}

/** Starts what elsewhere are the processes `planner` and `worker`, one worker for each channel. Resolves when all have been started. */
export async function startRoles(
  options: StartRolesOptions,
): Promise<{ planner: Running; workers: ChannelWorkers }> {
  const { prefix, db, broker, catalog, templates, keys, logger, registry, started } = options
  const sourceMetrics = createSourceMetrics(registry)
  const forPlanner = { broker, catalog, keys, prefix, clock, metrics: sourceMetrics }
  const planner = await startPlanner({
    ...forPlanner,
    store: openPlannerStore(db),
    logger: logger.child({ component: 'planner' }),
  })
  const sweeper = new Sweeper({
    db,
    admin: broker.admin,
    producer: broker.producer,
    keys,
    catalog,
    prefix,
    retention: options.retention,
    clock,
    logger: logger.child({ component: 'sweeper' }),
    events: sourceMetrics.events,
    metrics: createSweeperMetrics(registry),
  })
  sweeper.start()
  started.add('sweeper', () => sweeper.stop())
  const replayer = startReplayer({ ...forPlanner, db, logger: logger.child({ component: 'replayer' }) })
  const forWorkers = {
    broker,
    prefix,
    catalog,
    templates,
    clock,
    logger: logger.child({ component: 'worker' }),
    metrics: createDeliveryMetrics(registry),
    sourceMetrics,
  }
  const forProviders = { readSecret: options.readSecret, clock, capture: options.capture }
  const workers = new ChannelWorkers({
    catalog,
    clock,
    logger: logger.child({ component: 'worker' }),
    async start(channel, signal) {
      const workerId = `dev-${randomUUID()}`
      const worker = await startDeliveryWorker(
        {
          ...forWorkers,
          channel,
          ledger: openLedger({ db, workerId, metrics: forWorkers.metrics.ledger }),
          providers: openProviders(channel, forProviders),
        },
        signal,
      )
      return withHeartbeats(worker, { ...forWorkers, channel, workerId })
    },
  })
  started.add('planner, replayer and workers', () =>
    Promise.all([planner.stop(), replayer.stop(), workers.stop()]),
  )
  await workers.start()
  return { planner, workers }
}
