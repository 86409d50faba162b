/**
 * Whether a live object says everything that is to be applied: then nothing need be written. What the API server or others added does not
 * matter, and an empty object or list is the same as none. Pure.
 */
export function isApplied(live: unknown, wanted: unknown): boolean {
  if (isEmpty(wanted)) return isEmpty(live) || typeof live === typeof wanted
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, index) => isApplied(live[index], item))
    )
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof live !== 'object' || live === null) return false
    return Object.entries(wanted).every(([key, value]) =>
      isApplied((live as Record<string, unknown>)[key], value),
    )
  }
  return live === wanted
}

/** Whether it is nothing, or an object or list without anything in it. */
export function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  )
}
