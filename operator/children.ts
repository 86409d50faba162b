import { manager } from './channel/names.ts'
import type { Api } from './runtime/api/api.ts'
import { isNotFound } from './runtime/api/api-error.ts'
import { type KubernetesObject, nameOf, type ResourceKind } from './runtime/api/resource-kind.ts'
import { isApplied } from './runtime/applied.ts'
import { ownsLess, ownsMore } from './runtime/owned.ts'
import type { Cache } from './runtime/watch/cache.ts'

/** One kind of objects that the operator makes, and what it last saw of them. */
export class Children<T extends KubernetesObject> {
  readonly kind: ResourceKind
  readonly cache: Cache<T>
  readonly #api: Api

  constructor(api: Api, kind: ResourceKind, cache: Cache<T>) {
    this.#api = api
    this.kind = kind
    this.cache = cache
  }

  /** Makes an object what it should be; writes nothing when it is. Answers it as it is now. */
  async apply(wanted: T, signal: AbortSignal): Promise<T> {
    const live = this.cache.get(nameOf(wanted))
    const isThere = live !== undefined && live.metadata.deletionTimestamp === undefined
    const isOurs = isThere && !ownsMore(live, wanted, manager) && !ownsLess(live, wanted, manager)
    if (isOurs && isApplied(live, wanted)) return live
    return await this.#api.apply<T>(this.kind, wanted, { fieldManager: manager }, signal)
  }

  /** Deletes the very object that was seen. */
  async delete(object: T, signal: AbortSignal): Promise<void> {
    try {
      await this.#api.delete(this.kind, nameOf(object), object.metadata.uid, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
