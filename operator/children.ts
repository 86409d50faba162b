import { manager } from './channel/names.ts'
import type { Api } from './runtime/api/api.ts'
import { isNotFound } from './runtime/api/api-error.ts'
import { type KubernetesObject, nameOf, type ResourceKind } from './runtime/api/resource-kind.ts'
import { isApplied } from './runtime/applied.ts'
import { type Correction, Made } from './runtime/made.ts'
import { ownsLess, ownsMore } from './runtime/owned.ts'
import type { Cache } from './runtime/watch/cache.ts'

export interface ChildrenOptions<T extends KubernetesObject> {
  api: Pick<Api, 'apply' | 'delete'>
  kind: ResourceKind
  cache: Cache<T>
  /** Is told when an object was put right that somebody else had changed or deleted. */
  onCorrected: (correction: Correction) => void
}

/** One kind of objects that the operator makes, and what it last saw of them. */
export class Children<T extends KubernetesObject> {
  readonly #options: ChildrenOptions<T>
  readonly #made = new Made(manager)

  constructor(options: ChildrenOptions<T>) {
    this.#options = options
  }

  get cache(): Cache<T> {
    return this.#options.cache
  }

  /** Makes an object what it should be; writes nothing when it is. Answers it as it is now. */
  async apply(wanted: T, signal: AbortSignal): Promise<T> {
    const { api, kind, cache, onCorrected } = this.#options
    const live = cache.get(nameOf(wanted))
    const isThere = live !== undefined && live.metadata.deletionTimestamp === undefined
    const isOurs = isThere && !ownsMore(live, wanted, manager) && !ownsLess(live, wanted, manager)
    if (isOurs && isApplied(live, wanted)) {
      this.#made.saw(wanted, live)
      return live
    }
    const applied = await api.apply<T>(kind, wanted, { fieldManager: manager }, signal)
    const correction = this.#made.correction({ wanted, live, applied })
    this.#made.wrote(wanted, applied)
    if (correction) onCorrected(correction)
    return applied
  }

  /** Deletes the very object that was seen. */
  async delete(object: T, signal: AbortSignal): Promise<void> {
    const { api, kind } = this.#options
    this.#made.forget(object)
    try {
      await api.delete(kind, nameOf(object), object.metadata.uid, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
