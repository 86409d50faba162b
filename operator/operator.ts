import type { Broker } from '../core/broker/broker.ts'
import { applyTopicChanges, planTopics } from '../core/broker/reconcile-topics.ts'
import { installTopicSpecs } from '../core/broker/topic-specs.ts'
import { type OpenCatalog, openCatalog } from '../core/catalog/reader.ts'
import type { Clock, Timers } from '../core/clock.ts'
import { LiveWorkers } from '../core/heartbeat/live-workers.ts'
import { catalogTopic, workersTopic } from '../core/notification/topics.ts'
import type { Logger } from '../core/observability/logger.ts'
import { claimPrefix } from '../core/ownership/claim-prefix.ts'
import type { Ownership } from '../core/ownership/ownership.ts'
import { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { Autoscaler } from './autoscaler/autoscaler.ts'
import type { AutoscalerMetrics } from './autoscaler/metrics.ts'
import { createScalingStatusWriter } from './autoscaler/status.ts'
import { CatalogWriter } from './catalog-writer.ts'
import { createChannelController } from './channel/controller.ts'
import type { HorizontalPodAutoscaler } from './channel/workers/other-owners.ts'
import { createCorrectionTeller } from './corrections.ts'
import { podAutoscalers } from './kinds.ts'
import { markSynced } from './mark-synced.ts'
import type { Platform } from './platform.ts'
import { createReleaseController } from './release/controller.ts'
import { readInstall } from './release/install.ts'
import type { Api } from './runtime/api/api.ts'
import { createEventRecorder } from './runtime/events.ts'
import type { createControllerMetrics } from './runtime/metrics.ts'
import { unlessAborted } from './runtime/unless-aborted.ts'
import { createTemplateController } from './template/controller.ts'
import { Watches } from './watches.ts'

export interface OperatorOptions {
  api: Api
  broker: Broker
  platform: Omit<Platform, 'secretVersion'>
  /** All of them when empty. */
  watchNamespaces: readonly string[]
  /** The most copies that a topic can have: the brokers of the cluster. */
  maxReplicas: number
  /** Deployments that an upgrade may have between two releases at a time. */
  upgradeBudget: number
  /** The id of the install whose prefix this one shall take over. */
  takeOverFrom: string | undefined
  /** Throws when nothing may be written any more. */
  beforeWrite: () => void
  /** Names this replica in Events. */
  identity: string
  clock: Clock & Timers
  logger: Logger
  metrics: ReturnType<typeof createControllerMetrics>
  autoscalerMetrics: AutoscalerMetrics
}

export interface RunningOperator {
  ready(): boolean
  /** Resolves once every resource that was there at the start has been looked at without a failure. */
  settled: Promise<unknown>
  /** Resolves when another install has taken the prefix over: nothing more is written then, and the process must end. */
  lost: Promise<Error>
  stop(): Promise<void>
}

/**
 * Does the work of the leading operator until it is stopped. Rejects while Kafka or the API server is away, and with PrefixRefused while the prefix is
 * another install's: whoever starts it tries again.
 */
export async function startOperator(options: OperatorOptions, signal: AbortSignal): Promise<RunningOperator> {
  const { api, broker, clock, logger } = options
  const { topicPrefix: prefix } = options.platform
  const started: (() => Promise<unknown>)[] = []
  let settled: Promise<unknown>
  const lost = Promise.withResolvers<Error>()
  const stop = async () => {
    for (const end of started.splice(0).toReversed()) await end()
  }
  try {
    const install = await readInstall(api, options.platform.namespace, signal)
    const { maxReplicas: replicas, takeOverFrom } = options
    const claim = { prefix, replicas, install, takeOverFrom }
    const ownership = await claimPrefix(claim, options, signal)
    started.push(() => ownership.close())
    ownership.onChange(() => {
      if (!ownership.isOurs) lost.resolve(ownership.taken)
    })
    await ensureInstallTopics(broker, ownership, prefix, replicas)
    const catalog: OpenCatalog = await openCatalog({ broker, topic: catalogTopic(prefix), logger })
    started.push(() => catalog.close())
    const recordEvent = createEventRecorder({ api, instance: options.identity, clock, logger })
    const tellCorrection = createCorrectionTeller({ recordEvent, clock, logger })
    const platform = { ...options.platform, secretVersion: await keepRelease() }
    const watches = new Watches({ api, clock, logger })
    const podAutoscalerCache = watches.add<HorizontalPodAutoscaler>(podAutoscalers, [platform.namespace])
    const liveWorkers = LiveWorkers.open({ broker, topic: workersTopic(prefix), clock, logger })
    started.push(() => liveWorkers.close())
    const writer = new CatalogWriter({
      producer: broker.producer,
      topic: catalogTopic(prefix),
      catalog,
      beforeWrite: ownership.assertOurs,
    })
    const threads = new TemplateThreads({ logger })
    started.push(() => threads.close())
    const templateController = createTemplateController({
      ...options,
      catalog,
      writer,
      watches,
      checkTemplate: (template) => threads.check(template),
      recordEvent,
    })
    const channelController = createChannelController({
      ...options,
      platform,
      ownership,
      catalog,
      writer,
      watches,
      podAutoscalers: podAutoscalerCache,
      recordEvent,
      tellCorrection,
    })
    watches.start()
    started.push(() => watches.stop())
    await watches.synced(signal)
    templateController.start()
    started.push(() => templateController.stop())
    channelController.start()
    started.push(() => channelController.stop())
    settled = Promise.all([templateController.settled, channelController.settled])
    const marking = new AbortController()
    const marked = markSynced(
      {
        settled,
        probe: () => broker.admin.describeTopics([catalogTopic(prefix)]),
        mark: () => writer.markSynced(),
        clock,
        logger,
      },
      marking.signal,
    )
    started.push(() => {
      marking.abort()
      return marked
    })
    const autoscaler = new Autoscaler({
      api,
      admin: broker.admin,
      channels: () => catalog.channels().map(({ resource }) => resource),
      objects: channelController.channels,
      workloads: channelController.deployments,
      liveWorkers,
      podAutoscalers: podAutoscalerCache,
      scaledObjects: channelController.scaledObjects,
      prefix,
      namespace: platform.namespace,
      writeStatus: createScalingStatusWriter({
        api,
        objects: channelController.channels,
        clock,
        recordEvent,
      }),
      onTopicless: channelController.enqueue,
      recordEvent,
      clock,
      logger,
      metrics: options.autoscalerMetrics,
    })
    autoscaler.start()
    started.push(() => autoscaler.stop())

    /** Answers the version of the Secret that every worker needs. */
    async function keepRelease(): Promise<string> {
      const watches = new Watches({ api, clock, logger })
      const controller = createReleaseController({ ...options, watches, tellCorrection })
      watches.start()
      started.push(() => watches.stop())
      await watches.synced(signal)
      controller.start()
      started.push(() => controller.stop())
      return await unlessAborted(controller.secretVersion, signal)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { ready: () => started.length > 0, settled, lost: lost.promise, stop }
}

async function ensureInstallTopics(
  { admin }: Broker,
  ownership: Ownership,
  prefix: string,
  replicas: number,
): Promise<void> {
  const specs = installTopicSpecs(prefix, replicas)
  const found = await admin.describeTopics(specs.map(({ name }) => name))
  const { changes } = planTopics(specs, found)
  if (changes.length > 0) ownership.assertOurs()
  await applyTopicChanges(admin, changes)
}
