import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats, { type FormatName } from 'ajv-formats'
import type { Problem } from '../problem.ts'
import { keywordProblems } from './variables-keywords.ts'

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

// Its own instance, so that the meta-schema is compiled only once; it keeps none of the schemas that it looks at.
const metaSchema = new Ajv2020({ logger: false })

/**
 * Makes a check from the `variables` of a template (JSON Schema 2020-12). The check returns a copy of the data with defaults
 * filled in, or the first problem: Ajv advises against collecting all errors of untrusted data.
 * What the schema may not contain is refused here and not by CEL, which cannot look into an object of any shape.
 */
export function compileVariables(schema: Record<string, unknown>): CompiledVariables {
  const problems = keywordProblems(schema)
  if (problems.length > 0) return { ok: false, problems }
  try {
    if (!metaSchema.validateSchema(schema))
      return { ok: false, problems: (metaSchema.errors ?? []).slice(0, 1).map(schemaProblem) }
    const check = newCompiler().compile(schema)
    return { ok: true, validate: (data) => run(check, data) }
  } catch (error) {
    return {
      ok: false,
      problems: [{ path: [], message: `is not a valid schema: ${(error as Error).message}` }],
    }
  }
}

/** What is wrong with a `variables` schema, with paths into it. */
export function variablesProblems(schema: Record<string, unknown>): Problem[] {
  const compiled = compileVariables(schema)
  return compiled.ok ? [] : compiled.problems
}

/** One per schema: an instance keeps every schema that it has compiled. The fast formats are free of backtracking. */
function newCompiler(): Ajv2020 {
  const ajv = new Ajv2020({
    strictSchema: true,
    strictTypes: false,
    useDefaults: true,
    validateSchema: false,
    logger: false,
  })
  ajvFormats.default(ajv, { mode: 'fast', formats })
  return ajv
}

function run(check: ValidateFunction, data: Record<string, unknown>): ValidatedData {
  // Of JSON a copy by way of its text: under load structuredClone takes four times as long.
  const copy = JSON.parse(JSON.stringify(data)) as Record<string, unknown>
  if (check(copy)) return { ok: true, data: copy }
  return { ok: false, problems: (check.errors ?? []).map(dataProblem) }
}

function schemaProblem(error: ErrorObject): Problem {
  const path = error.instancePath.split('/').slice(1).map(unescape)
  return { path, message: `is not a valid schema: ${error.message ?? error.keyword}` }
}

function dataProblem({ keyword, instancePath, params, message = keyword }: ErrorObject): DataProblem {
  const { missingProperty, additionalProperty, allowedValues } = params as Record<string, unknown>
  if (keyword === 'required')
    return { pointer: `${instancePath}/${escape(String(missingProperty))}`, message: 'is required' }
  if (keyword === 'additionalProperties') {
    return {
      pointer: `${instancePath}/${escape(String(additionalProperty))}`,
      message: 'is not a variable of this template',
    }
  }
  return {
    pointer: instancePath,
    message: keyword === 'enum' ? `${message}: ${JSON.stringify(allowedValues)}` : message,
  }
}

// RFC 6901, section 3.
function escape(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1')
}

function unescape(segment: string): string | number {
  return /^\d+$/.test(segment) ? Number(segment) : segment.replaceAll('~1', '/').replaceAll('~0', '~')
}
