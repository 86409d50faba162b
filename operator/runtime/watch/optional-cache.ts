import type { KubernetesObject } from '../api/resource-kind.ts'
import { Cache } from './cache.ts'

/**
 * The objects of a kind that comes with something else, such as KEDA, which may be installed later, or removed. Empty while the cluster does not know the
 * kind, or our role has no rule for it.
 */
export class OptionalCache<T extends KubernetesObject> extends Cache<T> {
  readonly #listeners: (() => void)[] = []
  #served = false
  #refusal: string | undefined

  /** Whether the kind could be listed when that was last tried. */
  get served(): boolean {
    return this.#served
  }

  /** Why not, in the words of the API server; undefined where the cluster does not know the kind. */
  get refusal(): string | undefined {
    return this.#refusal
  }

  /** Is told when `served` has changed. */
  onServed(listener: () => void): void {
    this.#listeners.push(listener)
  }

  setServed(served: boolean, refusal?: string): void {
    this.#refusal = refusal
    if (served === this.#served) return
    this.#served = served
    for (const listener of this.#listeners) listener()
  }
}
