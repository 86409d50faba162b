import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { openKafkaBroker } from '../core/broker/kafka.ts'
import { systemClock as clock } from '../core/clock.ts'
import { createLogger } from '../core/observability/logger.ts'
import { awaitBroker } from '../core/process/await-parts.ts'
import { runProcess } from '../core/process/run-process.ts'
import { kafkaConnection } from '../core/settings/kafka.ts'
import type { operatorSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { createAutoscalerMetrics } from './autoscaler/metrics.ts'
import { upgradeBudget } from './channel/workers/upgrade-budget.ts'
import { planOperator } from './dry-run/plan.ts'
import { type RunningOperator, startOperator } from './operator.ts'
import { leaseName } from './release/names.ts'
import { Api } from './runtime/api/api.ts'
import { Connection } from './runtime/api/connection.ts'
import { loadKubeConfig } from './runtime/api/kube-config.ts'
import { Leader } from './runtime/leader.ts'
import { createControllerMetrics } from './runtime/metrics.ts'
import { workerPlatform } from './worker-settings.ts'

/** Milliseconds for a look at everything there is, after which a dry run gives up. */
const planTimeout = 60_000

/**
 * `carillon operator`: turns channels and templates into topics, catalog and workers, until SIGTERM or SIGINT. Of several replicas one leads, the
 * others wait; one that loses the lead ends, and is started again by its supervisor. With `dryRun` it only prints what it would do. Throws
 * StartRefused.
 */
export async function operator(settings: Settings<typeof operatorSettings>): Promise<void> {
  const kafka = kafkaConnection(settings)
  const config = loadKubeConfig(settings.kubeconfig)
  const platform = workerPlatform(settings, kafka, process.env)
  if (settings.dryRun) return printPlan(settings)
  const identity = `${hostname()}_${randomUUID()}`

  await runProcess({ role: 'operator', ...settings }, async ({ logger, metrics, started, signal }) => {
    const connection = new Connection(config, clock)
    started.add('connection to the API server', () => connection.close())
    const broker = openKafkaBroker({ ...kafka, clientId: 'carillon-operator', logger })
    started.add('broker', () => broker.close())
    const controllerMetrics = createControllerMetrics(metrics, clock)
    const autoscalerMetrics = createAutoscalerMetrics(metrics)
    const lease = { namespace: settings.namespace, name: leaseName }
    const leader = new Leader({ api: new Api(connection), lease, identity, clock, logger })
    const api = new Api(connection, leader.assertLeading)
    started.add('leader election', () => leader.stop())
    leader.start()

    let running: RunningOperator | undefined
    started.add('controllers', async () => running?.stop())
    const lead = async () => {
      await leader.led
      const start = () =>
        startOperator(
          {
            api,
            broker,
            platform,
            watchNamespaces: settings.watchNamespaces,
            maxReplicas: settings.topicReplicas,
            upgradeBudget,
            takeOverFrom: settings.takeOverFrom,
            identity,
            clock,
            logger,
            metrics: controllerMetrics,
            autoscalerMetrics,
            beforeWrite: leader.assertLeading,
          },
          signal,
        )
      running = await awaitBroker(start, { logger, signal })
      return running.lost
    }
    const ended = lead().catch((error: unknown) =>
      error instanceof Error ? error : new Error('the operator cannot start', { cause: error }),
    )
    return {
      // A replica that waits for its turn is as ready as one that leads: a rollout must not wait for it to lead.
      ready: () => !leader.leading || running?.ready() === true,
      failed: Promise.race([leader.lost, ended]),
    }
  })
}

async function printPlan(settings: Settings<typeof operatorSettings>): Promise<void> {
  // Standard output is for the lines of the plan.
  const logger = createLogger({ level: settings.logLevel, destination: process.stderr }).child({
    dryRun: true,
  })
  const connection = new Connection(loadKubeConfig(settings.kubeconfig), clock)
  const kafka = kafkaConnection(settings)
  const broker = openKafkaBroker({ ...kafka, clientId: 'carillon-operator', logger })
  try {
    const platform = workerPlatform(settings, kafka, process.env)
    const lines = await planOperator(
      { ...settings, connection, broker, platform, maxReplicas: settings.topicReplicas, clock, logger },
      AbortSignal.timeout(planTimeout),
    )
    for (const line of lines.length > 0 ? lines : ['Nothing to do'])
      process.stdout.write(`${line} (dry run)\n`)
  } catch (error) {
    throw new StartRefused(error instanceof Error ? error.message : String(error), 1, { cause: error })
  } finally {
    await broker.close()
    await connection.close()
  }
}
