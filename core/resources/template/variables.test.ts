import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatPath } from '../problem.ts'
import { compileVariables, variablesProblems } from './variables.ts'

const order = {
  type: 'object',
  required: ['order_id'],
  additionalProperties: false,
  properties: {
    order_id: { type: 'string', maxLength: 40 },
    name: { type: 'string', default: 'customer' },
    plan: { enum: ['free', 'paid'] },
    'a/b~c': { type: 'integer' },
    address: { type: 'object', default: {}, properties: { country: { type: 'string', default: 'DE' } } },
    items: {
      type: 'array',
      items: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } },
    },
  },
}

function validate(data: Record<string, unknown>, schema: Record<string, unknown> = order) {
  const compiled = compileVariables(schema)
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems))
  return compiled.validate(data)
}

const told = (schema: Record<string, unknown>) =>
  variablesProblems(schema).map(({ path, message }) => `${formatPath(path)}: ${message}`)

test('fills in defaults, in a copy', () => {
  const data = { order_id: '1' }
  expect(validate(data)).toEqual({
    ok: true,
    data: { order_id: '1', name: 'customer', address: { country: 'DE' } },
  })
  expect(data).toEqual({ order_id: '1' })
})

test('one request does not see the defaults of another', () => {
  const compiled = compileVariables(order)
  if (!compiled.ok) throw new Error('the schema is valid')
  const first = compiled.validate({ order_id: '1' })
  if (first.ok) (first.data['address'] as Record<string, unknown>)['country'] = 'FR'
  expect(compiled.validate({ order_id: '2' })).toMatchObject({ data: { address: { country: 'DE' } } })
})

test.each([
  [{}, '/order_id', 'is required'],
  [{ order_id: 7 }, '/order_id', 'must be string'],
  [{ order_id: '1', oder: 1 }, '/oder', 'is not a variable of this template'],
  [{ order_id: '1', plan: 'gold' }, '/plan', 'must be equal to one of the allowed values: ["free","paid"]'],
  [{ order_id: '1', 'a/b~c': 'x' }, '/a~1b~0c', 'must be integer'],
  [{ order_id: '1', items: [{ sku: 'x' }, {}] }, '/items/1/sku', 'is required'],
])('refuses the data %j', (data, pointer, message) => {
  expect(validate(data)).toEqual({ ok: false, problems: [{ pointer, message }] })
})

test.each([
  [
    { type: 'object', properties: { a: { type: 'strng' } } },
    'properties.a.type: is not a valid schema: must be equal to one of the allowed values',
  ],
  [{ type: 'object', required: 'a' }, 'required: is not a valid schema: must be array'],
  [
    { type: 'object', properties: { a: { type: 'string', format: 'colour' } } },
    ': is not a valid schema: unknown format "colour" ignored in schema at path "#/properties/a"',
  ],
  [
    { type: 'object', $schema: 'http://json-schema.org/draft-04/schema#' },
    ': is not a valid schema: no schema with key or ref "http://json-schema.org/draft-04/schema#"',
  ],
  [
    { type: 'object', allOf: [{ $ref: '#' }] },
    'allOf[0].$ref: is not allowed: references are not supported; write the schema in place',
  ],
  [
    { type: 'object', $id: 'https://json-schema.org/draft/2020-12/schema' },
    '$id: is not allowed: references are not supported, so nothing needs an address',
  ],
  [
    { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } },
    'properties.a.uniqueItems: needs maxItems of at most 1000: every item is compared with every other',
  ],
  [{ type: 'object', description: 'x'.repeat(32 * 1024) }, ': must be at most 32 KB of JSON'],
])('refuses the schema %j', (schema, problem) => {
  expect(told(schema)).toEqual([problem])
})

test('a variable may have the name of a keyword, but not that of the prototype', () => {
  expect(
    told({ type: 'object', properties: { pattern: { type: 'string' }, $ref: { default: { pattern: 1 } } } }),
  ).toEqual([])
  const hostile = JSON.parse(
    '{"type":"object","properties":{"__proto__":{"default":{"admin":true}}}}',
  ) as Record<string, unknown>
  expect(told(hostile)).toEqual(['properties.__proto__: is not a name for a variable'])
})

test('refuses a schema that is nested without end', () => {
  let schema: Record<string, unknown> = { type: 'object' }
  for (let depth = 0; depth < 100_000; depth++) schema = { type: 'object', not: schema }
  expect(told(schema)).toEqual([': must be nested at most 64 levels deep'])
})

test('never throws, whatever the schema', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('type', 'items', 'properties', 'required', 'enum', 'if', '$schema', 'default'),
        fc.jsonValue(),
      ),
      (schema) => {
        expect(() => variablesProblems({ type: 'object', ...schema })).not.toThrow()
      },
    ),
  )
})
