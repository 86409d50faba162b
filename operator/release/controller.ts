import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { label, manager } from '../channel/names.ts'
import { Children } from '../children.ts'
import { describeCorrection, type TellCorrection } from '../corrections.ts'
import { secrets } from '../kinds.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api/api.ts'
import { keyOf, type KubernetesObject } from '../runtime/api/resource-kind.ts'
import { Controller, type ReconcileContext, type ReconcileResult } from '../runtime/controller.ts'
import type { Correction } from '../runtime/made.ts'
import type { createControllerMetrics } from '../runtime/metrics.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { SecretVersions, versionOf } from '../secret-versions.ts'
import type { Watches } from '../watches.ts'
import { type ReleaseObject, releaseObjects } from './objects.ts'

export interface ReleaseControllerOptions {
  api: Api
  platform: Omit<Platform, 'secretVersion'>
  watches: Watches
  tellCorrection: TellCorrection
  clock: Clock & Timers
  logger: Logger
  metrics: ReturnType<typeof createControllerMetrics>
}

interface Part extends ReleaseObject {
  children: Children<KubernetesObject>
  /** Whether the cluster knows the kind. */
  served: () => boolean
}

/** Watches what the workers of all channels share, and keeps it as it should be: it is one thing with one key. */
export function createReleaseController(options: ReleaseControllerOptions) {
  const { api, platform, watches, clock, logger } = options
  const { namespace } = platform
  const parts = releaseObjects(platform).map((part) => ({ ...part, ...follow(part) }))
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
    return {}
  }

  async function ensure({ kind, name, object, children, served }: Part, signal: AbortSignal): Promise<void> {
    if (!served()) return
    const live = children.cache.get({ namespace, name })
    if (object === undefined) {
      if (live?.metadata.labels?.[label.managedBy] === manager) await children.delete(live, signal)
    } else if (kind === secrets) {
      const stamped = versions.stamp(object, live)
      await children.apply(stamped, signal)
      secretVersion.resolve(versionOf(stamped) ?? '')
    } else await children.apply(object, signal)
  }

  function follow({ kind, name, isOptional }: ReleaseObject): Pick<Part, 'children' | 'served'> {
    const childrenIn = (cache: Cache<KubernetesObject>) =>
      new Children({ api, kind, cache, onCorrected: tell })
    // By its name: the operator may not look at others of its kind, and labels can be taken off by hand.
    const one = { fieldSelector: `metadata.name=${name}` }
    if (!isOptional) {
      const cache = watches.add<KubernetesObject>(kind, [namespace], one)
      return { children: childrenIn(cache), served: () => true }
    }
    const cache = watches.addOptional<KubernetesObject>(kind, [namespace], one)
    cache.onServed(() => enqueue())
    return { children: childrenIn(cache), served: () => cache.served }
  }

  function tell(correction: Correction): void {
    const what = `${describeCorrection(correction)}: the operator keeps what all workers share`
    options.tellCorrection({ regarding: correction.object, what })
  }

  const enqueue = () => controller.queue.add(keyOf({ namespace, name: 'shared' }))
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
