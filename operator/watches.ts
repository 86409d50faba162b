import type { Clock, Timers } from '../core/clock.ts'
import type { Logger } from '../core/observability/logger.ts'
import type { Api, ListOptions } from './runtime/api/api.ts'
import type { KubernetesObject, ResourceKind } from './runtime/api/resource-kind.ts'
import { unlessAborted } from './runtime/unless-aborted.ts'
import { Cache } from './runtime/watch/cache.ts'
import { OptionalCache } from './runtime/watch/optional-cache.ts'
import { Reflector, type ReflectorOptions } from './runtime/watch/reflector.ts'

export interface WatchesOptions {
  api: Api
  clock: Clock & Timers
  logger: Logger
}

/** What to list or watch to see some namespaces, or all of them when none is named. */
export function scopesOf(namespaces: readonly string[]): { namespace?: string }[] {
  return namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
}

/** The watches of one process, started and stopped together. */
export class Watches {
  readonly #options: WatchesOptions
  readonly #reflectors: Reflector<KubernetesObject>[] = []

  constructor(options: WatchesOptions) {
    this.#options = options
  }

  /** A cache of a kind in some namespaces, or in all of them when none is named. */
  add<T extends KubernetesObject>(
    kind: ResourceKind,
    namespaces: readonly string[],
    options: Omit<ListOptions, 'namespace'> & Pick<ReflectorOptions<T>, 'keep'> = {},
  ): Cache<T> {
    const cache = new Cache<T>()
    this.#reflect(cache, kind, namespaces, options)
    return cache
  }

  /** The same of a kind that the operator can do without: the cluster need not know it, and the role need have no rule for it. */
  addOptional<T extends KubernetesObject>(
    kind: ResourceKind,
    namespaces: readonly string[],
    options: Omit<ListOptions, 'namespace'> = {},
  ): OptionalCache<T> {
    const cache = new OptionalCache<T>()
    this.#reflect(cache, kind, namespaces, { ...options, onServed: (...told) => cache.setServed(...told) })
    return cache
  }

  #reflect<T extends KubernetesObject>(
    cache: Cache<T>,
    kind: ResourceKind,
    namespaces: readonly string[],
    options: Omit<ListOptions, 'namespace'> & Pick<ReflectorOptions<T>, 'keep' | 'onServed'>,
  ): void {
    for (const scope of scopesOf(namespaces)) {
      const reflector = new Reflector<T>({ ...this.#options, ...options, ...scope, kind, cache })
      this.#reflectors.push(reflector as unknown as Reflector<KubernetesObject>)
    }
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start()
  }

  /** Resolves once every cache holds a whole list, or is one that can be done without; rejects with the signal's reason when that comes first. */
  async synced(signal: AbortSignal): Promise<void> {
    await unlessAborted(Promise.all(this.#reflectors.map(({ synced }) => synced)), signal)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()))
  }
}
