import type { Condition } from '../../core/resources/condition.ts'
import type { EventText } from './events.ts'

/** What a controller says of one condition; the rest of it follows from what was said before. */
export interface ConditionText {
  status: Condition['status']
  /** One CamelCase word. */
  reason: string
  message: string
}

/** Characters of a message: a person reads it, and the schema of a condition takes no more than 32,768. */
const longestMessage = 4_096

/**
 * The conditions of a resource after this look at it. The time of a condition is that of its last change of status (metav1.Condition), so what
 * did not change stays the very same. Pure.
 */
export function nextConditions<Type extends string>(
  before: readonly Condition[],
  said: Readonly<Record<Type, ConditionText>>,
  { generation, now }: { generation: number; now: number },
): Condition[] {
  const earlier = new Map(before.map((condition) => [condition.type, condition]))
  return (Object.entries(said) as [Type, ConditionText][]).map(([type, text]) => {
    const previous = earlier.get(type)
    const lastTransitionTime = previous?.status === text.status ? previous.lastTransitionTime : timestamp(now)
    const message = text.message.slice(0, longestMessage)
    return { type, ...text, message, observedGeneration: generation, lastTransitionTime }
  })
}

/** The conditions whose status is another than before, or that are new. Pure. */
export function transitions(before: readonly Condition[], after: readonly Condition[]): Condition[] {
  const earlier = new Map(before.map(({ type, status }) => [type, status]))
  return after.filter(({ type, status }) => earlier.get(type) !== status)
}

/** The conditions that are false as before, but for another reason: what was told of the former one is no longer so. Pure. */
export function otherReasons(before: readonly Condition[], after: readonly Condition[]): Condition[] {
  const failed = new Map(before.map(({ type, status, reason }) => [type, status === 'False' && reason]))
  return after.filter(({ type, status, reason }) => {
    const earlier = failed.get(type)
    return status === 'False' && typeof earlier === 'string' && earlier !== reason
  })
}

/** What a condition that changed says as an Event. Pure. */
export function transitionEvent({ type, status, reason, message }: Condition): EventText {
  return {
    type: status === 'True' ? 'Normal' : 'Warning',
    reason,
    action: type,
    note: `${type}=${status}: ${message}`,
  }
}

/** metav1.Time: whole seconds. */
function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')
}
