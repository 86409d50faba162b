import type { DeploymentObject } from '../channel/children/deployment.ts'
import type { Cache } from '../runtime/cache.ts'
import type { KubernetesObject } from '../runtime/resource-kind.ts'

export interface HorizontalPodAutoscaler extends KubernetesObject {
  spec: { scaleTargetRef: { kind: string; name: string } }
}

/**
 * Who else sets the replicas of a Deployment: a HorizontalPodAutoscaler, be it one that KEDA made. That of the channel's own ScaledObject, which has the
 * Deployment's name, is no stranger where the channel asks for KEDA.
 */
export function otherOwner(
  deployment: DeploymentObject,
  autoscalers: Pick<Cache<HorizontalPodAutoscaler>, 'list'>,
  { keda }: { keda: boolean },
): string | undefined {
  const { name } = deployment.metadata
  const isOwn = ({ metadata }: HorizontalPodAutoscaler) =>
    keda && metadata.ownerReferences?.some((owner) => owner.kind === 'ScaledObject' && owner.name === name)
  const other = autoscalers
    .list()
    .find(
      (each) =>
        each.spec.scaleTargetRef.kind === 'Deployment' &&
        each.spec.scaleTargetRef.name === name &&
        !isOwn(each),
    )
  return other && `HorizontalPodAutoscaler ${other.metadata.name}`
}
