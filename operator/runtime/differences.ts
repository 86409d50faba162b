import { isDeepStrictEqual } from 'node:util'

/** What every write changes, and nobody asked for; what a list leaves out; and what others tell of the object. */
const bookkeeping = new Set([
  'apiVersion',
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.managedFields',
  'status',
])

/** The paths of the values that differ between two states of an object. Values are not told: some are secret. Pure. */
export function differences(before: unknown, after: unknown, path: readonly string[] = []): string[][] {
  if (bookkeeping.has(path.join('.')) || isDeepStrictEqual(before, after)) return []
  if (!isTree(before) || !isTree(after)) return [[...path]]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    differences(before[key], after[key], [...path, key]),
  )
}

/** Whether a value has something at a path. Pure. */
export function hasPath(value: unknown, path: readonly string[]): boolean {
  const end = path.reduce<unknown>((inner, key) => (isTree(inner) ? inner[key] : undefined), value)
  return end !== undefined
}

/** A path in words. What is in a list is known by its name, where it has one: `spec.template.spec.containers[worker].image`. Pure. */
export function pathText(object: unknown, path: readonly string[]): string {
  let text = ''
  let value = object
  for (const key of path) {
    const inner = isTree(value) ? value[key] : undefined
    const name = isTree(inner) && typeof inner['name'] === 'string' ? inner['name'] : key
    text += Array.isArray(value) ? `[${name}]` : `${text && '.'}${key}`
    value = inner
  }
  return text
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
