import type { ConditionText } from '../runtime/conditions.ts'

export const isTrue = (reason: string, message: string): ConditionText => ({
  status: 'True',
  reason,
  message,
})
export const isFalse = (reason: string, message: string): ConditionText => ({
  status: 'False',
  reason,
  message,
})
export const isUnknown = (reason: string, message: string): ConditionText => ({
  status: 'Unknown',
  reason,
  message,
})
