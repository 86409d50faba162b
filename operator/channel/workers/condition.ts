import type { ConditionText } from '../../runtime/conditions.ts'
import type { DeploymentObject } from '../children/deployment.ts'
import { isFalse, isTrue } from '../condition-texts.ts'
import { obstacleOf, type PodObject } from './obstacles.ts'

export interface WorkerCounts {
  desired: number
  ready: number
}

/** How many workers are asked for and how many are ready; none of either without a Deployment. */
export function workerCounts(deployment: DeploymentObject | undefined): WorkerCounts {
  return { desired: deployment?.spec.replicas ?? 0, ready: deployment?.status?.readyReplicas ?? 0 }
}

/** Why `WorkersReady` is as it is when nothing is in the way. Every other reason is an obstacle, or a lack. */
const unhindered = ['ScaledToZero', 'UpgradeWaits', 'SomeWorkersReady', 'RollingOut', 'WorkersReady']

/** Whether a condition of the workers says that something is in the way of some of them, though others deliver. */
export const isHindered = ({ status, reason }: ConditionText) =>
  status === 'True' && !unhindered.includes(reason)

/** The channels whose rollouts an upgrade waits for; undefined when it does not wait. */
export type UpgradeWait = readonly string[] | undefined

/** What became of a channel's workers, beside what their Deployment says itself. */
export interface WorkersKept {
  waitsFor: UpgradeWait
  /** Why the ScaledObject is refused, by the cluster or by KEDA's own webhook: the workers run all the same. */
  scalingRefusal: string | undefined
}

/** What `WorkersReady` is judged by. */
export interface WorkersSeen extends WorkersKept {
  deployment: DeploymentObject | undefined
  pods: readonly PodObject[]
}

/** Whether as many workers run as are wanted, from which template, and what keeps new ones from running. */
export function workersCondition(seen: WorkersSeen): ConditionText {
  const { deployment, pods, waitsFor, scalingRefusal } = seen
  if (deployment === undefined) return isFalse('NoDeployment', 'the workers have not been created yet')
  const { desired, ready } = workerCounts(deployment)
  if (desired === 0) return isTrue('ScaledToZero', 'no worker is needed at present')
  const isShort = ready < desired || isRollingOut(deployment)
  const obstacle = isShort ? obstacleOf(deployment, pods) : undefined
  // Some deliver; with none the channel stands still.
  if (ready === 0) {
    const none = `none of ${desired} workers is ready`
    return obstacle === undefined
      ? isFalse('WorkersNotReady', none)
      : isFalse(obstacle.reason, `${none}: ${obstacle.message}`)
  }
  const some = `${ready} of ${desired} workers are ready`
  if (waitsFor !== undefined)
    return isTrue(
      'UpgradeWaits',
      `${some}, of the release before: the upgrade waits for the new workers of ${waitsFor.join(', ')}`,
    )
  if (obstacle !== undefined)
    return isTrue(obstacle.reason, `${some}, new ones do not get there: ${obstacle.message}`)
  if (scalingRefusal !== undefined)
    return isTrue('ScaledObjectRefused', `${some}, and nobody scales them: ${scalingRefusal}`)
  if (ready < desired) return isTrue('SomeWorkersReady', some)
  return isRollingOut(deployment)
    ? isTrue('RollingOut', `${some}; new ones take over`)
    : isTrue('WorkersReady', some)
}

/**
 * Whether a Deployment is between two templates: what the budget of an upgrade counts. One that has no pod of an older template is not, ready or not: its
 * workers fail for a reason of their own.
 */
export function isRollingOut({ spec, status, metadata }: DeploymentObject): boolean {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0 } = status ?? {}
  return (
    observedGeneration < (metadata.generation ?? 0) ||
    updatedReplicas < (spec.replicas ?? 1) ||
    replicas > updatedReplicas
  )
}
