import type { V1ContainerStatus, V1PodStatus } from '@kubernetes/client-node'
import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import type { DeploymentObject } from '../children/deployment.ts'

/** What keeps workers from running, in the words of Kubernetes. */
export interface Obstacle {
  /** One CamelCase word, such as `ImagePullBackOff`. */
  reason: string
  message: string
}

/** Of a worker's pod what is kept: whose it is, and what keeps it from being ready. */
export interface PodObject extends KubernetesObject {
  obstacle?: Obstacle
}

/** What there is to know of a pod. The rest of it is dropped: there may be thousands. */
export function keepOfPod(pod: KubernetesObject & { status?: V1PodStatus }): PodObject {
  const { name, namespace, labels, resourceVersion } = pod.metadata
  const obstacle = pod.metadata.deletionTimestamp === undefined ? obstacleOfPod(pod.status) : undefined
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(resourceVersion && { resourceVersion }),
    },
    ...(obstacle && { obstacle }),
  }
}

/** What the scheduler, or the kubelet, says of a pod that does not get ready. */
function obstacleOfPod({ conditions = [], containerStatuses = [] }: V1PodStatus = {}): Obstacle | undefined {
  const unscheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled !== undefined)
    return { reason: unscheduled.reason ?? 'Unschedulable', message: unscheduled.message ?? '' }
  const changed = Number(new Date(conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? 0))
  return containerStatuses
    .map((container) => obstacleOfContainer(container, changed))
    .find((obstacle) => obstacle !== undefined)
}

/**
 * A worker that ended and was started again is told as what it will be called a moment later, so that nothing changes to and fro; that goes for an image that is
 * pulled again too. One that got ready since then, and is not because Kafka is away, did not end for that.
 * @param changed when the pod's readiness changed last, in milliseconds since the epoch
 */
function obstacleOfContainer(
  { ready, state, lastState }: V1ContainerStatus,
  changed: number,
): Obstacle | undefined {
  const startedAt = state?.running?.startedAt
  if (ready || (startedAt !== undefined && changed > Number(new Date(startedAt)))) return undefined
  const ended = state?.terminated ?? lastState?.terminated
  if (ended !== undefined && ended.exitCode !== 0) {
    const { exitCode, reason } = ended
    const words = reason === undefined || reason === 'Error' ? '' : ` (${reason})`
    return { reason: 'CrashLoopBackOff', message: `the worker ended with exit code ${exitCode}${words}` }
  }
  const { reason, message = '' } = state?.waiting ?? {}
  if (reason === undefined || reason === 'ContainerCreating') return undefined
  return { reason: reason === 'ErrImagePull' ? 'ImagePullBackOff' : reason, message }
}

/**
 * What keeps a Deployment from having its workers: that no pod can be made, what one of its pods says, or that none got ready in time. Pure.
 * @param pods its pods
 */
export function obstacleOf({ status }: DeploymentObject, pods: readonly PodObject[]): Obstacle | undefined {
  const conditions = status?.conditions ?? []
  const failure = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (failure !== undefined)
    return { reason: failure.reason ?? 'FailedCreate', message: failure.message ?? '' }
  const ofPod = pods.find(({ obstacle }) => obstacle !== undefined)?.obstacle
  if (ofPod !== undefined) return ofPod
  const late = conditions.find(({ type, status }) => type === 'Progressing' && status === 'False')
  return late && { reason: late.reason ?? 'ProgressDeadlineExceeded', message: late.message ?? '' }
}
