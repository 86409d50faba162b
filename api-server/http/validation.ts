import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { suggestion } from '../../core/resources/problem.ts'
import { escapePointer, findUnusable } from './json-body.ts'
import { type FieldError, invalidRequest, sendProblem } from './problem.ts'

/** Errors named in one answer. */
const maxErrors = 20
/** Longer names than any of ours are not worth a guess at what was meant. */
const maxGuessed = 40

const options = { allErrors: true, verbose: true, strict: true }
/** Takes values exactly as they are: no type is changed, no unknown field dropped. */
const exact = new Ajv2020(options)
/** Parameters are text by nature, so numbers among them are read as such. */
const textual = new Ajv2020({ ...options, coerceTypes: true, useDefaults: true })
for (const ajv of [exact, textual]) ajvFormats.default(ajv)

/** The JSON Schema of what a client sends: one definition for validation and for the documentation. */
export function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' })
  return rest
}

/** A check of JSON values; it answers what is wrong, or an empty list. */
export function compileCheck(schema: z.ZodType): (value: unknown) => FieldError[] {
  const validate = exact.compile(jsonSchema(schema))
  return (value) => (validate(value) ? [] : toFieldErrors(validate.errors ?? [], 'body'))
}

/** A request that does not fit its schema. Thrown by Fastify, answered by the error handler. */
export class InvalidRequest extends Error {
  readonly errors: FieldError[]

  constructor(errors: FieldError[]) {
    super('invalid request')
    this.name = 'InvalidRequest'
    this.errors = errors
  }
}

/** Validates requests by the compiled schemas of their routes. */
export function validateRequests(app: FastifyInstance): void {
  app.setValidatorCompiler<Record<string, unknown>>(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : textual).compile(schema),
  )
  app.setSchemaErrorFormatter((errors, part) => new InvalidRequest(toFieldErrors(errors, part)))
  app.addHook('preValidation', async (request, reply) => {
    const unusable = request.body === undefined ? undefined : findUnusable(request.body)
    if (unusable) await sendProblem(reply, invalidRequest([unusable]))
  })
}

/** The first error of each place: a text that is too short has no need to hear of its format. */
function toFieldErrors(errors: readonly ErrorObject[], part: string): FieldError[] {
  const places = new Map<string, ErrorObject>()
  for (const error of errors) {
    const place = pointerOf(error)
    if (!places.has(place)) places.set(place, error)
    if (places.size === maxErrors) break
  }
  return [...places].map(([path, error]) => {
    const what =
      error.propertyName === undefined
        ? { code: codes[error.keyword] ?? 'invalid', detail: detailOf(error) }
        : { code: 'wrong_name', detail: `its name ${detailOf(error)}` }
    switch (part) {
      case 'headers':
        return { header: path.slice(1), ...what }
      case 'querystring':
      case 'params':
        return { parameter: path.slice(1), ...what }
      default:
        return { pointer: path, ...what }
    }
  })
}

function pointerOf({ instancePath, params, propertyName: inner }: ErrorObject): string {
  const { missingProperty, additionalProperty, propertyName = inner } = params as Record<string, string>
  // A wrong name is told twice: by what is wrong with it, then by what it is in.
  const name = propertyName ?? missingProperty ?? additionalProperty
  return name === undefined ? instancePath : `${instancePath}/${escapePointer(name)}`
}

const codes: Readonly<Record<string, string>> = {
  required: 'required',
  additionalProperties: 'unknown_field',
  type: 'wrong_type',
  pattern: 'wrong_format',
  format: 'wrong_format',
  enum: 'not_allowed',
  minLength: 'too_short',
  maxLength: 'too_long',
  minItems: 'too_few',
  maxItems: 'too_many',
  minProperties: 'too_few',
  maxProperties: 'too_many',
  uniqueItems: 'not_unique',
  minimum: 'too_small',
  maximum: 'too_large',
}

const formats: Readonly<Record<string, string>> = {
  'date-time': 'A time with its offset from UTC, as RFC 3339 has it: 2026-11-30T09:00:00Z.',
}

function detailOf({ keyword, params, parentSchema, message = 'is wrong' }: ErrorObject): string {
  const { description, properties } = (parentSchema ?? {}) as { description?: string; properties?: object }
  const { additionalProperty, allowedValues } = params as {
    additionalProperty: string
    allowedValues: unknown[]
  }
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return additionalProperty.length > maxGuessed
        ? 'unknown field'
        : `unknown field${suggestion(additionalProperty, Object.keys(properties ?? {}))}`
    case 'pattern':
      return description === undefined ? 'has the wrong format' : `does not fit: ${description}`
    case 'format':
      return `does not fit: ${formats[(params as { format: string }).format] ?? message}`
    case 'enum':
      return `must be one of ${allowedValues.join(', ')}`
    case 'minProperties':
    case 'maxProperties':
      return properties === undefined
        ? message
        : `must have exactly one of ${Object.keys(properties).join(', ')}`
    default:
      return message
  }
}
