import { type Problem, suggestion } from '../problem.ts'

/** At most this many bytes of JSON (contract: NotificationTemplate). */
const maxBytes = 32 * 1024
const maxDepth = 64
const maxUniqueItems = 1000

/**
 * Keywords by which the author of one template could stop the process for everyone, and why. A regular expression can
 * backtrack for ever (measured: 26 s of blocked event loop); references can double the work with every line, and recurse.
 */
const refused: Record<string, string> = {
  pattern:
    'a regular expression could stop the service for everyone; use enum, format, minLength or maxLength',
  patternProperties:
    'a regular expression could stop the service for everyone; use properties or additionalProperties',
  $ref: 'references are not supported; write the schema in place',
  $dynamicRef: 'references are not supported; write the schema in place',
  $id: 'references are not supported, so nothing needs an address',
  $anchor: 'references are not supported, so nothing needs an address',
  $dynamicAnchor: 'references are not supported, so nothing needs an address',
  $vocabulary: 'only JSON Schema 2020-12 is read',
}

const withSchema = words(
  'items contains additionalProperties propertyNames not if then else unevaluatedItems unevaluatedProperties',
)
const withSchemaList = words('allOf anyOf oneOf prefixItems')
const withSchemaMap = words('properties dependentSchemas $defs')
const plain = words(
  '$schema $comment type enum const default title description examples deprecated readOnly writeOnly format required ' +
    'dependentRequired minProperties maxProperties minItems maxItems uniqueItems minContains maxContains ' +
    'minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf contentEncoding contentMediaType',
)
const known = [...withSchema, ...withSchemaList, ...withSchemaMap, ...plain]

/** What is wrong with a `variables` schema before it is compiled: its size, and keywords that are unknown or refused. */
export function keywordProblems(schema: Record<string, unknown>): Problem[] {
  if (isDeeperThan(schema, maxDepth))
    return [{ path: [], message: `must be nested at most ${maxDepth} levels deep` }]
  if (Buffer.byteLength(JSON.stringify(schema)) > maxBytes)
    return [{ path: [], message: 'must be at most 32 KB of JSON' }]
  const problems = inSchema(schema, [])
  if (schema['type'] === 'object') return problems
  return [{ path: ['type'], message: 'must be object: the data of a request is one' }, ...problems]
}

function inSchema(schema: unknown, path: PropertyKey[]): Problem[] {
  if (!isObject(schema)) return []
  const problems = Object.entries(schema).flatMap(([key, value]) => inKeyword(key, value, [...path, key]))
  const bounded = typeof schema['maxItems'] === 'number' && schema['maxItems'] <= maxUniqueItems
  if (schema['uniqueItems'] !== true || bounded) return problems
  const message = `needs maxItems of at most ${maxUniqueItems}: every item is compared with every other`
  return [...problems, { path: [...path, 'uniqueItems'], message }]
}

/** Descends only where a schema stands: a variable may be called `pattern`, and a default may hold anything. */
function inKeyword(key: string, value: unknown, path: PropertyKey[]): Problem[] {
  if (Object.hasOwn(refused, key)) return [{ path, message: `is not allowed: ${refused[key]}` }]
  if (withSchema.has(key)) return inSchema(value, path)
  if (withSchemaList.has(key))
    return Array.isArray(value) ? value.flatMap((entry, index) => inSchema(entry, [...path, index])) : []
  if (withSchemaMap.has(key))
    return isObject(value)
      ? Object.entries(value).flatMap(([name, entry]) => inNamed(name, entry, [...path, name]))
      : []
  return plain.has(key) ? [] : [{ path, message: `unknown keyword${suggestion(key, known)}` }]
}

function inNamed(name: string, schema: unknown, path: PropertyKey[]): Problem[] {
  return name === '__proto__' ? [{ path, message: 'is not a name for a variable' }] : inSchema(schema, path)
}

/** Without recursion, since the depth is what is not yet known. */
function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth < limit; depth++) {
    level = level
      .filter((entry) => typeof entry === 'object' && entry !== null)
      .flatMap((entry) => Object.values(entry) as unknown[])
    if (level.length === 0) return false
  }
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function words(text: string): Set<string> {
  return new Set(text.split(' '))
}
