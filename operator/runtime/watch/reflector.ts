import { type Clock, sleep, type Timers } from '../../../core/clock.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import type { Api, ListOptions } from '../api/api.ts'
import { ApiError, isForbidden, isGone, isNotFound } from '../api/api-error.ts'
import type { KubernetesObject, ResourceKind } from '../api/resource-kind.ts'
import type { Cache } from './cache.ts'

export interface ReflectorOptions<T extends KubernetesObject> extends ListOptions {
  api: Api
  kind: ResourceKind
  cache: Cache<T>
  /** What of an object the cache is to hold; all of it when absent. */
  keep?: (object: T) => T
  /**
   * Is told whether the kind can be followed. The cache is whole, and empty, while the API server does not know it or our role has no rule for it;
   * without this that is a failure.
   * @param refusal what the API server says of a kind that it may well know
   */
  onServed?: (served: boolean, refusal?: string) => void
  clock: Clock & Timers
  logger: Logger
}

/** Milliseconds between tries while the API server is away: doubled each time, and never given up. */
const firstPause = 500
const longestPause = 30_000
/** Milliseconds that a watch must last: one that ends sooner, again and again, is as bad as one that cannot be opened. */
const healthyWatch = 1_000
/** Milliseconds between looks for a kind that the API server does not know. */
const unknownPause = 15_000

/**
 * Keeps a cache like a collection of the API server: lists, watches from there, and lists again when the watch cannot go on because its resource
 * version is too old. The end of a watch is normal: the next one goes on from the last event or bookmark.
 */
export class Reflector<T extends KubernetesObject> {
  readonly #options: ReflectorOptions<T>
  readonly #synced = Promise.withResolvers<void>()
  readonly #stopping = new AbortController()
  #resourceVersion: string | undefined
  #warned: string | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
  }

  /** Resolves once the cache holds a whole list, or the API server has refused one that we can do without. Never while it stays away. */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { kind, logger, clock } = this.#options
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      let opened = Infinity
      let error: unknown
      try {
        this.#resourceVersion ??= await this.#list(signal)
        await this.#watch(this.#resourceVersion, () => (opened = clock.monotonic()), signal)
      } catch (caught) {
        error = caught
      }
      if (signal.aborted) return
      if (this.#options.onServed !== undefined && (isNotFound(error) || isForbidden(error))) {
        this.#resourceVersion = undefined
        this.#options.cache.replace([], this.#options.namespace)
        if (isForbidden(error)) this.#warnOnce(error.message)
        this.#tell(false, isForbidden(error) ? error.message : undefined)
        failures = 0
        await sleep(clock, unknownPause, signal)
        continue
      }
      const wasHealthy = clock.monotonic() - opened >= healthyWatch
      failures = wasHealthy ? 0 : failures + 1
      // A list that fails for another reason, such as a webhook of the kind's that is down, keeps nobody waiting who can do without.
      if (this.#options.onServed && this.#resourceVersion === undefined && error instanceof ApiError)
        this.#tell(false, error.message)
      if (error !== undefined) {
        // A kind that comes again is another one.
        if (isGone(error) || isNotFound(error)) this.#resourceVersion = undefined
        if (isNotFound(error))
          logger.warn({ kind: kind.kind }, 'The cluster does not know this kind yet: apply the CRDs')
        else logger.warn({ err: error, kind: kind.kind }, 'Watch failed; it is tried again')
      }
      if (!wasHealthy) await this.#pause(failures, error instanceof ApiError ? error.retryAfter : undefined)
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { api, kind, cache, namespace, keep } = this.#options
    const { items, resourceVersion } = await api.list<T>(kind, this.#options, signal)
    cache.replace(keep ? items.map(keep) : items, namespace)
    this.#tell(true)
    return resourceVersion
  }

  #tell(served: boolean, refusal?: string): void {
    this.#options.onServed?.(served, refusal)
    this.#synced.resolve()
  }

  #warnOnce(message: string): void {
    if (message === this.#warned) return
    this.#warned = message
    const { kind, logger } = this.#options
    logger.warn(
      { kind: kind.kind, refusal: message },
      'The role of the operator has no rule for this kind: what needs it is left out',
    )
  }

  async #watch(resourceVersion: string, opened: () => void, signal: AbortSignal): Promise<void> {
    const { api, kind, cache, keep = (object: T) => object } = this.#options
    const events = await api.watch<T>(kind, { ...this.#options, resourceVersion }, signal)
    opened()
    for await (const event of events) {
      if (event.type === 'ERROR') {
        const { code = 500, reason = '', message = 'the watch failed' } = event.object
        throw new ApiError(code, reason, message)
      }
      this.#resourceVersion = event.object.metadata.resourceVersion
      if (event.type === 'DELETED') cache.remove(event.object)
      else if (event.type !== 'BOOKMARK') cache.put(keep(event.object))
    }
  }

  /** A little random, so that all watches do not come back at once. */
  async #pause(failures: number, atLeast = 0): Promise<void> {
    const longest = Math.min(firstPause * 2 ** (failures - 1), longestPause)
    const milliseconds = Math.max(atLeast, longest * (0.5 + Math.random() / 2))
    await sleep(this.#options.clock, milliseconds, this.#stopping.signal)
  }
}
