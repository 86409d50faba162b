import { isDeepStrictEqual } from 'node:util'
import type { Broker } from '../../core/broker/broker.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { channelOfKey } from '../../core/catalog/records.ts'
import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Ownership } from '../../core/ownership/ownership.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { Children } from '../children.ts'
import type { TellCorrection } from '../corrections.ts'
import { channels, deployments, disruptionBudgets, pods, scaledObjects, secrets } from '../kinds.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api/api.ts'
import {
  hasSameSpec,
  keyOf,
  type KubernetesObject,
  nameOf,
  type ObjectName,
  parseKey,
} from '../runtime/api/resource-kind.ts'
import { Controller } from '../runtime/controller.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { createControllerMetrics } from '../runtime/metrics.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { SecretVersions } from '../secret-versions.ts'
import type { Watches } from '../watches.ts'
import type { SecretObject } from './children/credentials.ts'
import type { DeploymentObject } from './children/deployment.ts'
import type { ScaledObject } from './children/scaled-object.ts'
import { createClaims } from './claims.ts'
import { createChildTeller, TopicTeller } from './corrections.ts'
import { channelOf, managedSelector } from './names.ts'
import { createChannelReconciler } from './reconcile.ts'
import { createRemover } from './remove.ts'
import { type ChannelObject, createStatusWriter } from './status.ts'
import { adopts } from './topics.ts'
import { createWorkersKeeper } from './workers/ensure-workers.ts'
import { keepOfPod, type PodObject } from './workers/obstacles.ts'
import { type HorizontalPodAutoscaler, otherOwner } from './workers/other-owners.ts'

export interface ChannelControllerOptions {
  api: Api
  broker: Broker
  catalog: OpenCatalog
  ownership: Ownership
  writer: CatalogWriter
  watches: Watches
  /** Those of the workers' namespace. */
  podAutoscalers: Cache<HorizontalPodAutoscaler>
  watchNamespaces: readonly string[]
  platform: Platform
  maxReplicas: number
  /** Deployments that an upgrade may have between two releases at a time. */
  upgradeBudget: number
  recordEvent: RecordEvent
  tellCorrection: TellCorrection
  clock: Clock & Timers
  logger: Logger
  metrics: ReturnType<typeof createControllerMetrics>
}

const workers = 4
/** Milliseconds between looks for what belongs to channels that are gone, or were changed by a leader that was frozen. */
const sweepInterval = 300_000

/** Watches channels and what was made for them, and reconciles the channel that a change concerns. */
export function createChannelController(options: ChannelControllerOptions) {
  const { api, broker, catalog, ownership, watches, watchNamespaces, platform, clock, logger } = options
  const own = [platform.namespace]
  const managed = { labelSelector: managedSelector }
  const cache = {
    channels: watches.add<ChannelObject>(channels, watchNamespaces),
    deployments: watches.add<DeploymentObject>(deployments, own, managed),
    budgets: watches.add<KubernetesObject>(disruptionBudgets, own, managed),
    credentials: watches.add<SecretObject>(secrets, own, managed),
    // All of them: somebody else's may scale our workers.
    scaledObjects: watches.addOptional<ScaledObject>(scaledObjects, own),
    pods: watches.add<PodObject>(pods, own, { ...managed, keep: keepOfPod }),
    // Only that they changed: what is in them is read when it is needed, and not kept.
    tenantSecrets: watches.add<KubernetesObject>(secrets, watchNamespaces, { metadataOnly: true }),
  }
  const parts = { api, onCorrected: createChildTeller(cache.channels, options.tellCorrection) }
  const children = {
    deployments: new Children({ ...parts, kind: deployments, cache: cache.deployments }),
    budgets: new Children({ ...parts, kind: disruptionBudgets, cache: cache.budgets }),
    credentials: new Children({ ...parts, kind: secrets, cache: cache.credentials }),
    scaledObjects: new Children({ ...parts, kind: scaledObjects, cache: cache.scaledObjects }),
  }
  const prefix = platform.topicPrefix
  const claims = createClaims({ ...options, channels: cache.channels, prefix })
  const statusWriter = createStatusWriter({ ...options, objects: cache.channels })
  const secretVersions = new SecretVersions()
  const reconcile = createChannelReconciler({
    ...options,
    admin: broker.admin,
    prefix,
    channels: cache.channels,
    deployments: cache.deployments,
    credentials: cache.credentials,
    pods: cache.pods,
    claims,
    ensureWorkers: createWorkersKeeper({
      ...children,
      upgradeBudget: options.upgradeBudget,
      knowsScaledObjects: () => cache.scaledObjects.served,
      otherOwner: (deployment) =>
        otherOwner(deployment, { ...options, scaledObjects: cache.scaledObjects }, { keda: true }),
      secretVersions,
      platform,
    }),
    remove: createRemover({
      ...options,
      admin: broker.admin,
      children: Object.values(children) as Children<KubernetesObject>[],
      takenTopics: (namespace) => claims.taken(namespace),
    }),
    statusWriter,
    topicTeller: new TopicTeller(options),
    secretVersions,
  })
  const controller = new Controller({
    name: 'notificationchannel',
    reconcile,
    workers,
    clock,
    logger,
    metrics: options.metrics('notificationchannel', workers),
  })
  const isWatched = ({ namespace }: ObjectName) =>
    watchNamespaces.length === 0 || watchNamespaces.includes(namespace)
  // What belongs to a namespace that is not watched is not ours to judge: its channels look as if they were gone.
  const enqueue = (name: ObjectName | undefined) => {
    if (name !== undefined && isWatched(name)) controller.queue.add(keyOf(name))
  }
  let callOffSweep = () => {}
  let unsubscribe = () => {}

  function watch(): void {
    cache.channels.onChange((object, previous) => {
      // Its own status is no reason to look at a channel again, unless somebody else wrote it.
      const isSame = hasSameSpec(object, previous) && adopts(object) === (previous && adopts(previous))
      if (isSame && cache.channels.has(object)) {
        if (statusWriter.isForeign(object)) enqueue(nameOf(object))
        return
      }
      enqueue(nameOf(object))
      for (const other of cache.channels.list()) if (isRefused(other)) enqueue(nameOf(other))
    })
    for (const children of [cache.deployments, cache.budgets, cache.credentials, cache.scaledObjects])
      children.onChange(({ metadata }) => enqueue(channelOf(metadata.labels)))
    const scalers: readonly Pick<Cache<HorizontalPodAutoscaler | ScaledObject>, 'has' | 'onChange'>[] = [
      cache.scaledObjects,
      options.podAutoscalers,
    ]
    for (const scaler of scalers)
      scaler.onChange((object, previous) => {
        // What they measure changes often.
        if (hasSameSpec(object, previous) && scaler.has(object)) return
        const { name } = object.spec.scaleTargetRef
        const deployment = cache.deployments.get({ namespace: platform.namespace, name })
        enqueue(channelOf(deployment?.metadata.labels))
      })
    cache.pods.onChange((pod, previous) => {
      // A pod changes many times in its life: only what it says of itself is of interest.
      const said = cache.pods.has(pod) ? pod.obstacle : undefined
      if (!isDeepStrictEqual(said, previous?.obstacle)) enqueue(channelOf(pod.metadata.labels))
    })
    cache.scaledObjects.onServed(() => {
      for (const channel of cache.channels.list()) enqueue(nameOf(channel))
    })
    cache.tenantSecrets.onChange(({ metadata }) => {
      for (const channel of cache.channels.list()) {
        if (channel.metadata.namespace === metadata.namespace && names(channel, metadata.name))
          enqueue(nameOf(channel))
      }
    })
    unsubscribe = catalog.onChange((key) => enqueue(key === undefined ? undefined : channelOfKey(key)))
  }

  /** What was deleted while nobody watched is known from labels, from the catalog, and from topics that were to go with it. */
  function sweep(): void {
    const owned = Object.values(children).flatMap((each): KubernetesObject[] => each.cache.list())
    const known = [
      ...owned.map(({ metadata }) => channelOf(metadata.labels)),
      ...[...catalog.published()].map(([key, { source }]) =>
        source === 'kubernetes' ? channelOfKey(key) : undefined,
      ),
      ...[...ownership.marks.values()].map(({ channel, deletionPolicy }) =>
        deletionPolicy === 'Delete' ? parseKey(channel) : undefined,
      ),
    ]
    for (const name of known) {
      if (name !== undefined && cache.channels.get(name) === undefined) enqueue(name)
    }
    callOffSweep = clock.after(sweepInterval, sweep)
  }

  watch()
  return {
    channels: cache.channels,
    deployments: cache.deployments,
    scaledObjects: cache.scaledObjects,
    /** Has a channel looked at, though no watch told of a change. */
    enqueue,
    /** Resolves once every channel that was there at the start has been looked at. */
    settled: controller.settled,
    /** To be called once the caches hold whole lists. */
    start(): void {
      for (const channel of cache.channels.list()) enqueue(nameOf(channel))
      sweep()
      controller.start()
    },
    async stop(): Promise<void> {
      callOffSweep()
      unsubscribe()
      await controller.stop()
    },
  }
}

function isRefused({ status }: ChannelObject): boolean {
  return (
    status?.conditions?.some(({ type, reason }) => type === 'Accepted' && reason === 'TopicConflict') ?? false
  )
}

function names({ spec }: ChannelObject, secret: string): boolean {
  const providers = spec['providers']
  return (
    Array.isArray(providers) &&
    providers.some((entry) => (entry as { secretRef?: { name?: string } } | null)?.secretRef?.name === secret)
  )
}
