import { isSameQuantity } from './quantity.ts'

/** Fields whose entries are quantities, wherever they stand: those of ResourceRequirements. */
const quantities = ['limits', 'requests']

/**
 * Whether a live object says everything that is to be applied: then nothing need be written. What the API server or others added does not
 * matter, and an empty object, list or text is the same as none: the API server leaves it out. Pure.
 */
export function isApplied(live: unknown, wanted: unknown): boolean {
  if (isEmpty(wanted)) return isEmpty(live) || typeof live === typeof wanted
  if (wanted === '') return live === '' || isEmpty(live)
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, index) => isApplied(live[index], item))
    )
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof live !== 'object' || live === null) return false
    return Object.entries(wanted).every(([name, value]: [string, unknown]) => {
      const is = (live as Record<string, unknown>)[name]
      const areQuantities = quantities.includes(name) && typeof value === 'object'
      return areQuantities ? hasQuantities(is, value) : isApplied(is, value)
    })
  }
  return live === wanted
}

function hasQuantities(live: unknown, wanted: object | null): boolean {
  const quantityOf = (name: string) => (live as Record<string, unknown> | undefined)?.[name]
  return Object.entries(wanted ?? {}).every(([name, value]) => isSameQuantity(quantityOf(name), value))
}

/** Whether it is nothing, or an object or list without anything in it. */
export function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  )
}
