import { expect, test } from 'vitest'
import { z } from 'zod'
import { kinds } from '../core/catalog/kinds.ts'
import { channelSchema } from '../core/resources/channel.ts'
import { caseProviders } from '../core/resources/manifest.cases.ts'
import { channelDefinition, customResourceDefinition, templateDefinition } from './definition.ts'
import { nodes, type StructuralSchema, structuralSchema } from './structural.ts'

const crds = [
  customResourceDefinition(channelDefinition, kinds.NotificationChannel),
  customResourceDefinition(templateDefinition, kinds.NotificationTemplate),
]
const rootOf = (crd: (typeof crds)[number]) => crd.spec.versions[0]!.schema.openAPIV3Schema
const all = crds.flatMap((crd) =>
  [...nodes(rootOf(crd))]
    .filter(([path]) => /^\.(spec|status)/.test(path))
    .map(([path, node]) => ({ path: crd.spec.names.kind + path, node })),
)
const faults = (wrong: (node: StructuralSchema) => boolean) =>
  all.filter(({ node }) => wrong(node)).map(({ path }) => path)
const isAnything = (node: StructuralSchema) =>
  node['x-kubernetes-preserve-unknown-fields'] ?? node['x-kubernetes-int-or-string']

test('every node has a type', () => {
  expect(faults((node) => node.type === undefined && !node['x-kubernetes-int-or-string'])).toEqual([])
})

test('no node mixes properties with additionalProperties, or leaves a union', () => {
  expect(faults((node) => Boolean(node.properties && 'additionalProperties' in node))).toEqual([])
  expect(
    faults((node) => ['anyOf', 'oneOf', 'allOf', 'not', '$ref', 'const'].some((key) => key in node)),
  ).toEqual([])
})

test('every string, list and map is bounded, so that the cost of CEL is', () => {
  expect(faults((node) => node.type === 'string' && !node.enum && node.maxLength === undefined)).toEqual([])
  expect(faults((node) => node.type === 'array' && node.maxItems === undefined)).toEqual([])
  expect(
    faults((node) => node.additionalProperties !== undefined && node.maxProperties === undefined),
  ).toEqual([])
})

test('every field has a description', () => {
  // The values of a map and the items of a list of plain values are told by their field.
  const fields = all.filter(({ path }) => !path.endsWith('[]') && !path.endsWith('.*'))
  expect(fields.filter(({ node }) => !node.description).map(({ path }) => path)).toEqual([])
  expect(fields.length).toBeGreaterThan(120)
})

test('an object is described field by field, or is the data of someone else', () => {
  expect(
    faults(
      (node) => node.type === 'object' && !node.properties && !node.additionalProperties && !isAnything(node),
    ),
  ).toEqual([])
})

test('the columns, names and subresources of the contract', () => {
  const told = crds.map(({ spec }) => [
    spec.names.shortNames,
    spec.names.categories,
    spec.versions[0]!.additionalPrinterColumns.map((column) => column.name).join(' '),
  ])
  expect(told).toEqual([
    [['nch'], ['carillon'], 'Type Provider Workers Lag Dead Ready Reason Status Age'],
    [['ntpl'], ['carillon'], 'Category Revision Channels Ready Status Age'],
  ])
  expect(crds.map(({ spec }) => spec.versions[0]!.subresources)).toEqual([{ status: {} }, { status: {} }])
})

test('conditions are a list-map by type', () => {
  for (const crd of crds) {
    expect(rootOf(crd).properties!['status']!.properties!['conditions']).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    })
  }
})

test('every column shows a field that exists', () => {
  const paths = new Set(crds.flatMap((crd) => [...nodes(rootOf(crd))].map(([path]) => path)))
  const shown = [channelDefinition, templateDefinition].flatMap((kind) =>
    kind.columns.map((column) => column.jsonPath),
  )
  const plain = shown.filter((path) => !path.startsWith('.metadata') && !path.includes('?'))
  expect(plain.filter((path) => !paths.has(path))).toEqual([])
})

test('a provider brings its block and its rules', () => {
  const schema = structuralSchema(channelSchema(caseProviders)).properties!['spec']!.properties!['providers']!
    .items!
  expect(schema.properties!['type']!.enum).toEqual(['smtp', 'two-words', 'sandbox'])
  expect(schema.properties!['smtp']).toMatchObject({ type: 'object', required: ['host'] })
  expect(schema['x-kubernetes-validations']!.map(({ rule, fieldPath }) => [rule, fieldPath])).toEqual([
    ["has(self.smtp) == (self.type == 'smtp')", '.smtp'],
    ["!has(self.two__dash__words) || self.type == 'two-words'", '.two-words'],
    ["self.type != 'two-words' || has(self.secretRef)", '.secretRef'],
    ["!has(self.sandbox) || self.type == 'sandbox'", '.sandbox'],
  ])
})

test('an object with rules has its whole default, which the API server checks as it stands', () => {
  const inner = z.strictObject({ a: z.int().default(1), b: z.string().max(3).optional() })
  const ruled = inner.meta({
    'x-kubernetes-validations': [{ rule: 'self.a > 0', message: 'must be positive' }],
  })
  const { properties } = structuralSchema(z.object({ ruled: ruled.prefault({}), plain: inner.prefault({}) }))
  expect(properties!['ruled']!.default).toEqual({ a: 1 })
  expect(properties!['plain']!.default).toEqual({})
})
