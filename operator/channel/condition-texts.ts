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
/** What stands in the way of a resource whose name another source has in the catalog, and what to do. */
export const ownedElsewhere = (kind: 'channel' | 'template', source: string) =>
  `a ${kind} of this name is published from ${source === 'folder' ? 'a folder (carillon apply)' : source} already: remove it there, or give this one another name`

export const isUnknown = (reason: string, message: string): ConditionText => ({
  status: 'Unknown',
  reason,
  message,
})
