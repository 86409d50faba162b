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

/** Whether as many workers run as are wanted, and from the template that was applied last. */
export function workersCondition(deployment: DeploymentObject | undefined): ConditionText {
  if (deployment === undefined) return isFalse('NoDeployment', 'the workers have not been created yet')
  const { desired, ready } = workerCounts(deployment)
  if (desired === 0) return isTrue('ScaledToZero', 'no worker is needed at present')
  const { status, metadata } = deployment
  const isRolling =
    (status?.observedGeneration ?? 0) < (metadata.generation ?? 0) || (status?.updatedReplicas ?? 0) < desired
  if (ready >= desired)
    return isRolling
      ? isTrue('RollingOut', `${ready} of ${desired} workers are ready; new ones take over`)
      : isTrue('WorkersReady', `${ready} of ${desired} workers are ready`)
  // Some deliver; with none the channel stands still.
  return ready > 0
    ? isTrue('SomeWorkersReady', `${ready} of ${desired} workers are ready`)
    : isFalse('WorkersNotReady', `none of ${desired} workers is ready`)
}

/** Whether a Deployment is between two templates: what the budget of an upgrade counts. */
export function isRollingOut({ spec, status, metadata }: DeploymentObject): boolean {
  const desired = spec.replicas ?? 1
  return (
    (status?.observedGeneration ?? 0) < (metadata.generation ?? 0) ||
    (status?.updatedReplicas ?? 0) < desired ||
    (status?.readyReplicas ?? 0) < desired
  )
}
