import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { Children } from '../children.ts'
import { podMonitors, secrets } from '../kinds.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api.ts'
import { Controller, type ReconcileContext, type ReconcileResult } from '../runtime/controller.ts'
import type { createControllerMetrics } from '../runtime/metrics.ts'
import { keyOf, type KubernetesObject, nameOf } from '../runtime/resource-kind.ts'
import { SecretVersions, versionOf } from '../secret-versions.ts'
import type { Watches } from '../watches.ts'
import { releaseObjects } from './objects.ts'

export interface ReleaseControllerOptions {
  api: Api
  platform: Omit<Platform, 'secretVersion'>
  watches: Watches
  clock: Clock & Timers
  logger: Logger
  metrics: ReturnType<typeof createControllerMetrics>
}

/** Milliseconds between looks at whether the cluster knows PodMonitors by now. */
const kindPause = 10_000

/** Watches what the workers of all channels share, and keeps it as it should be: it is one thing with one key. */
export function createReleaseController(options: ReleaseControllerOptions) {
  const { api, platform, watches, clock, logger } = options
  const parts = releaseObjects(platform).map(({ kind, object }) => {
    const { name, namespace } = nameOf(object)
    const cache = watches.add<KubernetesObject>(kind, [namespace], {
      // By its name: the operator may not look at others of its kind, and labels can be taken off by hand.
      fieldSelector: `metadata.name=${name}`,
      isOptional: kind === podMonitors,
    })
    return { wanted: object, children: new Children(api, kind, cache) }
  })
  const controller = new Controller({
    name: 'release',
    reconcile,
    workers: 1,
    clock,
    logger,
    metrics: options.metrics('release', 1),
  })
  const secretVersion = Promise.withResolvers<string>()
  const versions = new SecretVersions()

  async function reconcile(_: unknown, { signal }: ReconcileContext): Promise<ReconcileResult> {
    // One that is refused keeps no other from being right.
    const looks = await Promise.allSettled(parts.map((part) => ensure(part, signal)))
    const errors = looks.flatMap((look) => (look.status === 'rejected' ? [look.reason as Error] : []))
    if (errors.length > 0) throw new AggregateError(errors, errors.map(({ message }) => message).join('; '))
    const isComplete = looks.every((look) => look.status === 'fulfilled' && look.value)
    return isComplete ? {} : { requeueAfter: kindPause }
  }

  /** Answers whether the cluster knows the kind. */
  async function ensure({ wanted, children }: (typeof parts)[number], signal: AbortSignal): Promise<boolean> {
    if (children.kind === podMonitors && !(await api.serves(podMonitors, signal))) return false
    if (children.kind !== secrets) {
      await children.apply(wanted, signal)
      return true
    }
    const stamped = versions.stamp(wanted, children.cache.get(nameOf(wanted)))
    await children.apply(stamped, signal)
    secretVersion.resolve(versionOf(stamped) ?? '')
    return true
  }

  const enqueue = () => controller.queue.add(keyOf({ namespace: platform.namespace, name: 'shared' }))
  return {
    /** Resolves with the version of the platform's Secret once that is as it should be: no worker can start before. */
    secretVersion: secretVersion.promise,
    /** To be called once the caches hold whole lists. */
    start(): void {
      for (const { children } of parts) children.cache.onChange(enqueue)
      enqueue()
      controller.start()
    },
    stop: () => controller.stop(),
  }
}
