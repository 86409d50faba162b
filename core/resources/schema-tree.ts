import { z } from 'zod'

/** The schema inside defaults and optionality. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
    inner = inner.unwrap() as z.ZodType
  }
  return inner
}

/** The schema of a property, a list item or a map value; `undefined` where nothing is declared. */
export function childSchema(schema: z.ZodType, segment: PropertyKey): z.ZodType | undefined {
  const parent = unwrap(schema)
  if (parent instanceof z.ZodObject) {
    const shape = parent.shape as Record<string, z.ZodType>
    return Object.hasOwn(shape, String(segment)) ? shape[String(segment)] : undefined
  }
  if (parent instanceof z.ZodArray) return parent.element as z.ZodType
  if (parent instanceof z.ZodRecord) return parent.valueType as z.ZodType
  return undefined
}

/** The names that may stand at a path: an object's properties. Empty where any name may. */
export function knownNames(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: z.ZodType | undefined = schema
  for (const segment of path) current = current && childSchema(current, segment)
  const target = current && unwrap(current)
  return target instanceof z.ZodObject ? Object.keys(target.shape) : []
}
