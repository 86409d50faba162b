import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats, { type FormatName } from 'ajv-formats'
import type { Problem } from './problem.ts'

/** At most this many bytes of JSON (contract: NotificationTemplate). */
export const maxVariablesBytes = 32 * 1024

const maxDepth = 64
const maxUniqueItems = 1000
const formats: FormatName[] = [
  'date',
  'time',
  'date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uuid',
]

/**
 * Keywords by which the author of one template could stop the process for everyone, and why. A regular expression can
 * backtrack for ever, and references can double the work with every line (and recurse).
 */
const refused: Record<string, string> = {
  pattern:
    'a regular expression could stop the service for everyone; use enum, format, minLength or maxLength',
  patternProperties:
    'a regular expression could stop the service for everyone; use properties or additionalProperties',
  $ref: 'references are not supported; write the schema in place',
  $dynamicRef: 'references are not supported; write the schema in place',
  $id: 'a schema here has no address',
  $anchor: 'references are not supported',
  $dynamicAnchor: 'references are not supported',
}

const schemaMaps = new Set(['properties', 'dependentSchemas', '$defs'])
const schemaLists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const schemas = new Set([
  'items',
  'contains',
  'additionalProperties',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
  'unevaluatedItems',
  'unevaluatedProperties',
])

export interface DataProblem {
  /** JSON Pointer into the data (RFC 6901); empty for the data itself. */
  pointer: string
  message: string
}

export type ValidatedData =
  | { ok: true; data: Record<string, unknown> }
  | { ok: false; problems: DataProblem[] }
export type CompiledVariables =
  | { ok: true; validate: (data: Record<string, unknown>) => ValidatedData }
  | { ok: false; problems: Problem[] }

/**
 * Makes a check from the `variables` of a template (JSON Schema 2020-12). The check returns a copy of the data with defaults
 * filled in, or the first problem: Ajv advises against collecting all errors of untrusted data.
 * Keywords that Ajv does not know are refused, since most of them are misspelt.
 */
export function compileVariables(schema: Record<string, unknown>): CompiledVariables {
  const problems = structuralProblems(schema)
  if (problems.length > 0) return { ok: false, problems }
  const compiled = compile(schema)
  return compiled.ok ? { ok: true, validate: (data) => run(compiled.check, data) } : compiled
}

/** What is wrong with a `variables` schema, with paths into it. */
export function variablesProblems(schema: Record<string, unknown>): Problem[] {
  const compiled = compileVariables(schema)
  return compiled.ok ? [] : compiled.problems
}

function compile(
  schema: Record<string, unknown>,
): { ok: true; check: ValidateFunction } | { ok: false; problems: Problem[] } {
  const ajv = new Ajv2020({
    strictSchema: true,
    useDefaults: true,
    allErrors: false,
    logger: false,
    validateSchema: false,
  })
  ajvFormats.default(ajv, { mode: 'fast', formats })
  if (!metaSchema.validateSchema(schema)) {
    return { ok: false, problems: (metaSchema.errors ?? []).slice(0, 1).map(schemaProblem) }
  }
  try {
    return { ok: true, check: ajv.compile(schema) }
  } catch (error) {
    return {
      ok: false,
      problems: [{ path: [], message: `is not a valid schema: ${(error as Error).message}` }],
    }
  }
}

// Its own instance, so that the meta-schema is compiled once; it keeps none of the schemas that it looks at.
const metaSchema = new Ajv2020({ logger: false })

function schemaProblem(error: ErrorObject): Problem {
  return {
    path: fromPointer(error.instancePath),
    message: `is not a valid schema: ${error.message ?? error.keyword}`,
  }
}

function run(check: ValidateFunction, data: Record<string, unknown>): ValidatedData {
  const copy = structuredClone(data)
  if (check(copy)) return { ok: true, data: copy }
  return { ok: false, problems: (check.errors ?? []).map(dataProblem) }
}

function dataProblem(error: ErrorObject): DataProblem {
  const missing =
    error.keyword === 'required' ? `/${escapePointer(String(error.params['missingProperty']))}` : ''
  const unknown =
    error.keyword === 'additionalProperties'
      ? `/${escapePointer(String(error.params['additionalProperty']))}`
      : ''
  if (missing) return { pointer: error.instancePath + missing, message: 'is required' }
  if (unknown) return { pointer: error.instancePath + unknown, message: 'is not a variable of this template' }
  const allowed = error.keyword === 'enum' ? `: ${JSON.stringify(error.params['allowedValues'])}` : ''
  return { pointer: error.instancePath, message: `${error.message ?? error.keyword}${allowed}` }
}

function structuralProblems(schema: Record<string, unknown>): Problem[] {
  if (isDeeperThan(schema, maxDepth))
    return [{ path: [], message: `must be nested at most ${maxDepth} levels deep` }]
  if (Buffer.byteLength(JSON.stringify(schema)) > maxVariablesBytes)
    return [{ path: [], message: 'must be at most 32 KB of JSON' }]
  const problems = keywordProblems(schema, [])
  if (schema['type'] !== 'object')
    problems.unshift({ path: ['type'], message: 'must be object: the data of a request is one' })
  return problems
}

/** Looks at keywords only where they are keywords: a variable may be called `pattern`. */
function keywordProblems(schema: unknown, path: PropertyKey[]): Problem[] {
  if (!isObject(schema)) return []
  const problems: Problem[] = []
  for (const [key, value] of Object.entries(schema)) {
    const at = [...path, key]
    if (Object.hasOwn(refused, key)) problems.push({ path: at, message: `is not allowed: ${refused[key]}` })
    else if (schemas.has(key)) problems.push(...keywordProblems(value, at))
    else if (schemaLists.has(key) && Array.isArray(value)) {
      problems.push(...value.flatMap((entry, index) => keywordProblems(entry, [...at, index])))
    } else if (schemaMaps.has(key) && isObject(value)) {
      problems.push(
        ...Object.entries(value).flatMap(([name, entry]) => propertyProblems(name, entry, [...at, name])),
      )
    }
  }
  if (schema['uniqueItems'] === true && !(Number(schema['maxItems']) <= maxUniqueItems)) {
    problems.push({
      path: [...path, 'uniqueItems'],
      message: `needs maxItems of at most ${maxUniqueItems}: every item is compared with every other`,
    })
  }
  return problems
}

function propertyProblems(name: string, schema: unknown, path: PropertyKey[]): Problem[] {
  return name === '__proto__'
    ? [{ path, message: 'is not a name for a variable' }]
    : keywordProblems(schema, path)
}

/** Without recursion, since the depth is what is not yet known. */
function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth < limit; depth++) {
    level = level
      .filter((entry) => typeof entry === 'object' && entry !== null)
      .flatMap((entry) => Object.values(entry as object))
    if (level.length === 0) return false
  }
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const escapePointer = (segment: string) => segment.replaceAll('~', '~0').replaceAll('/', '~1')
const fromPointer = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
