import type { ScaledObject } from '../channel/children/scaled-object.ts'
import { isFalse, isTrue, isUnknown } from '../channel/condition-texts.ts'
import type { ConditionText } from '../runtime/conditions.ts'

/**
 * What `ScalingActive` says of a channel that KEDA scales: what KEDA itself says of the ScaledObject
 * (https://keda.sh/docs/latest/reference/scaledobject-spec/). Pure.
 * @param live the channel's ScaledObject, if there is one
 * @param refusal what the API server says where the operator may not, or cannot, list ScaledObjects
 */
export function kedaCondition(
  live: ScaledObject | undefined,
  { installed, refusal, suspended }: { installed: boolean; refusal: string | undefined; suspended: boolean },
): ConditionText {
  if (refusal !== undefined)
    return isUnknown('ScaledObjectsUnreadable', `the operator cannot read ScaledObjects: ${refusal}`)
  if (!installed)
    return isFalse(
      'KEDANotInstalled',
      'KEDA is not installed, so nobody scales the workers: install it, or set scaling.mode to Native',
    )
  if (live === undefined) return isUnknown('NoScaledObject', 'the ScaledObject has not been created yet')
  const said = (type: string) => live.status?.conditions?.find((condition) => condition.type === type)
  const { status = 'Unknown', message = '' } = said('Ready') ?? {}
  // KEDA writes its conditions before it judges them.
  if (status === 'Unknown' && message === '')
    return isUnknown('KEDANotSeen', 'KEDA has not looked at the ScaledObject yet')
  if (status !== 'True') return { status, reason: 'ScaledObjectNotReady', message: `KEDA says: ${message}` }
  if (suspended) return isTrue('Suspended', 'the channel is suspended')
  if (said('Paused')?.status === 'True') return isFalse('Paused', 'somebody has paused the ScaledObject')
  if (said('Fallback')?.status === 'True')
    return isFalse('Fallback', 'KEDA cannot read the lag; the fallback holds')
  // Ready is said of the ScaledObject alone: KEDA wakes the workers, and its HorizontalPodAutoscaler may all the same have no metrics to add any by.
  const autoscaler = said('HPAActive')
  if (autoscaler?.status === 'False')
    return isFalse('HPANotActive', `KEDA says: ${autoscaler.message ?? 'HPAActive=False'}`)
  return isTrue('ScaledByKEDA', 'the ScaledObject of this channel decides')
}
