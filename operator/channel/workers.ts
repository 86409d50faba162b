import type { ConditionText } from '../runtime/conditions.ts'
import type { DeploymentObject } from './children/deployment.ts'
import { isFalse, isTrue } from './conditions.ts'

export interface WorkerCounts {
  desired: number
  ready: number
}

export function workerCounts(deployment: DeploymentObject | undefined): WorkerCounts {
  return { desired: deployment?.spec.replicas ?? 0, ready: deployment?.status?.readyReplicas ?? 0 }
}

/**
 * Whether as many workers run as are wanted, from which template, and what keeps new ones from running.
 * @param waitsFor the channels whose rollouts an upgrade waits for; undefined when it does not wait
 */
export function workersCondition(
  deployment: DeploymentObject | undefined,
  waitsFor?: readonly string[],
): ConditionText {
  if (deployment === undefined) return isFalse('NoDeployment', 'the workers have not been created yet')
  const { desired, ready } = workerCounts(deployment)
  if (desired === 0) return isTrue('ScaledToZero', 'no worker is needed at present')
  const obstacle = obstacleOf(deployment)
  const because = obstacle === undefined ? '' : `: ${obstacle}`
  // Some deliver; with none the channel stands still.
  if (ready === 0) return isFalse('WorkersNotReady', `none of ${desired} workers is ready${because}`)
  const some = `${ready} of ${desired} workers are ready`
  if (waitsFor !== undefined)
    return isTrue(
      'UpgradeWaits',
      `${some}, of the release before: the upgrade waits for the new workers of ${waitsFor.join(', ')}`,
    )
  if (obstacle !== undefined)
    return isTrue('NewWorkersNotReady', `${some}, new ones do not get there${because}`)
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

/** What the controller of Deployments says of pods that cannot be made, or of new ones that do not get ready in time. */
function obstacleOf({ status }: DeploymentObject): string | undefined {
  const conditions = status?.conditions ?? []
  const failure = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  const stuck = conditions.find(({ type, status }) => type === 'Progressing' && status === 'False')
  return (failure ?? stuck)?.message
}
