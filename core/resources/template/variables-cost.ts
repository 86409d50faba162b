/**
 * What checking data against a schema costs at most. Without references, which are refused, a part of a schema looks at each part of
 * the data once at the most, so the cost is bounded by the size of the one times that of the other. Two keywords look more often:
 * `uniqueItems` compares every item with every other, and the `unevaluated` ones join what every other part of the schema has seen.
 */

/** Size of a schema: its JSON values, and what its costly keywords count for. */
export function schemaSize(schema: unknown): number {
  const size = sizeOf(schema)
  return size.joins ? size.values ** 2 : size.values
}

function sizeOf(value: unknown): { values: number; joins: boolean } {
  if (typeof value !== 'object' || value === null) return { values: 1, joins: false }
  const { uniqueItems, maxItems } = value as { uniqueItems?: unknown; maxItems?: unknown }
  let values = 1 + (uniqueItems === true && typeof maxItems === 'number' ? maxItems : 0)
  let joins = 'unevaluatedProperties' in value || 'unevaluatedItems' in value
  for (const each of Object.values(value)) {
    const size = sizeOf(each)
    values += size.values
    joins ||= size.joins
  }
  return { values, joins }
}

/** Characters that count as much as one value: formats and lengths look at each of them, but briefly (measured: 1.5 to 3 ns). */
const charactersPerValue = 8

/** Size of data: their JSON values, and their text. Counts no further than the limit. */
export function dataSize(data: unknown, limit: number): number {
  const waiting = [data]
  let size = 0
  while (waiting.length > 0 && size <= limit) {
    const value = waiting.pop()
    size += 1 + (typeof value === 'string' ? value.length / charactersPerValue : 0)
    if (typeof value !== 'object' || value === null) continue
    for (const [key, each] of Object.entries(value)) {
      size += key.length / charactersPerValue
      waiting.push(each)
    }
  }
  return size
}
