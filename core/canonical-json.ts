import { hash } from 'node:crypto'

/**
 * SHA-256, in hex, of a JSON value whose objects are written in one order of keys, whatever theirs was: equal for requests that
 * say the same thing.
 */
export function hashOfJson(value: unknown): string {
  return hash('sha256', JSON.stringify(sorted(value)), 'hex')
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const object = value as Record<string, unknown>
  const keys = Object.keys(object).toSorted()
  return Object.fromEntries(keys.map((key) => [key, sorted(object[key])]))
}
