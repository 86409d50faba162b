import { Cache } from './cache.ts'
import type { KubernetesObject } from './resource-kind.ts'

/**
 * The objects of a kind that comes with something else, such as KEDA, which may be installed later, or removed. Empty while the cluster does not know the
 * kind.
 */
export class OptionalCache<T extends KubernetesObject> extends Cache<T> {
  readonly #listeners: (() => void)[] = []
  #served = false

  /** Whether the cluster knows the kind, as far as it was last seen. */
  get served(): boolean {
    return this.#served
  }

  /** Is told when the cluster has begun to know the kind, or knows it no more. */
  onServed(listener: () => void): void {
    this.#listeners.push(listener)
  }

  setServed(served: boolean): void {
    if (served === this.#served) return
    this.#served = served
    for (const listener of this.#listeners) listener()
  }
}
