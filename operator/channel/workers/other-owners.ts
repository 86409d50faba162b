import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import type { Cache } from '../../runtime/watch/cache.ts'
import type { ScaledObject } from '../children/scaled-object.ts'

export interface HorizontalPodAutoscaler extends KubernetesObject {
  spec: { scaleTargetRef: { kind: string; name: string } }
}

export interface Scalers {
  podAutoscalers: Pick<Cache<HorizontalPodAutoscaler>, 'list'>
  scaledObjects: Pick<Cache<ScaledObject>, 'list'>
}

/**
 * Who else sets the replicas of a Deployment: a ScaledObject, or a HorizontalPodAutoscaler. The channel's own ScaledObject, which has the Deployment's name,
 * and the HorizontalPodAutoscaler that KEDA makes of it are no strangers where the channel asks for KEDA.
 */
export function otherOwner(
  name: string,
  { podAutoscalers, scaledObjects }: Scalers,
  { keda }: { keda: boolean },
): string | undefined {
  // A ScaledObject that names no kind means a Deployment.
  const scales = ({ spec }: HorizontalPodAutoscaler | ScaledObject) =>
    (spec.scaleTargetRef.kind ?? 'Deployment') === 'Deployment' && spec.scaleTargetRef.name === name
  const isOwn = (scaledObject: string) => keda && scaledObject === name
  const other =
    scaledObjects.list().find((each) => scales(each) && !isOwn(each.metadata.name)) ??
    podAutoscalers.list().find((each) => scales(each) && !ownersOf(each).some(isOwn))
  return other && `${other.kind} ${other.metadata.name}`
}

function ownersOf({ metadata }: HorizontalPodAutoscaler): string[] {
  return (metadata.ownerReferences ?? []).flatMap(({ kind, name }) => (kind === 'ScaledObject' ? [name] : []))
}
