import { keyOf, nameOf } from '../../runtime/api/resource-kind.ts'
import type { Cache } from '../../runtime/watch/cache.ts'
import { annotation, type DeploymentObject } from '../children/deployment.ts'
import { isRollingOut } from './condition.ts'

/** Deployments that a new release may have between two templates at a time: what an operator is given. */
export const upgradeBudget = 5

export interface UpgradeBudgetOptions {
  deployments: Pick<Cache<DeploymentObject>, 'get' | 'list'>
  /** The release at hand, as the annotation of a Deployment has it. */
  release: string
  /** Deployments that may be between two templates at a time. */
  places: number
}

/**
 * Rolls the workers of all channels to a new release a few at a time: one that cannot get ready then stops at those few. A channel that its owner edited
 * does not wait, but counts.
 */
export class UpgradeBudget {
  readonly #options: UpgradeBudgetOptions
  /** Admitted, and not yet seen with the new template: the watch tells a little later. */
  readonly #admitted = new Map<string, DeploymentObject>()

  constructor(options: UpgradeBudgetOptions) {
    this.#options = options
  }

  /** Whether a Deployment was made by another release than this one. */
  isUpgrade({ spec }: DeploymentObject): boolean {
    return spec.template.metadata?.annotations?.[annotation.release] !== this.#options.release
  }

  /** Takes a place for a Deployment, over the budget if it must go at once. Answers who has the places when there is none. */
  admit(live: DeploymentObject, { mustGo }: { mustGo: boolean }): 'admitted' | DeploymentObject[] {
    this.#forgetSeen()
    const key = keyOf(nameOf(live))
    const rolling = this.#rolling()
    if (!mustGo && rolling.length >= this.#options.places && !this.#admitted.has(key)) return rolling
    this.#admitted.set(key, live)
    return 'admitted'
  }

  /** Gives a place back that was not used. */
  release(live: DeploymentObject): void {
    this.#admitted.delete(keyOf(nameOf(live)))
  }

  #rolling(): DeploymentObject[] {
    const seen = this.#options.deployments
      .list()
      .filter((deployment) => !this.isUpgrade(deployment) && isRollingOut(deployment))
    return [...seen, ...this.#admitted.values()]
  }

  #forgetSeen(): void {
    for (const [key, admitted] of this.#admitted) {
      const live = this.#options.deployments.get(nameOf(admitted))
      if (live === undefined || !this.isUpgrade(live)) this.#admitted.delete(key)
    }
  }
}
