import { expect, it } from 'vitest'
import { ownsLess, ownsMore, takers } from './owned.ts'

const identity = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } }
const applied = (fieldsV1: object) => ({ manager: 'us', operation: 'Apply', fieldsV1 })
const live = {
  ...identity,
  metadata: {
    name: 'a',
    managedFields: [
      applied({
        'f:metadata': { 'f:finalizers': { 'v:"keep"': {} } },
        'f:spec': {
          'f:nodeSelector': { 'f:disk': {} },
          'f:ports': {
            'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {}, 'f:name': {} },
          },
        },
      }),
      { manager: 'us', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
      { manager: 'us', operation: 'Apply', subresource: 'status', fieldsV1: { 'f:status': {} } },
      { manager: 'them', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:theirs': {} } } },
    ],
  },
}
const port = { port: 80, protocol: 'TCP', name: 'http' }
const wanted = { metadata: { finalizers: ['keep'] }, spec: { nodeSelector: { disk: 'ssd' }, ports: [port] } }

it.each<[string, object, boolean]>([
  ['all that it owns is wanted', wanted, false],
  ['more is wanted than it owns', { ...wanted, spec: { ...wanted.spec, paused: true } }, false],
  ['an entry of a map', { ...wanted, spec: { ...wanted.spec, nodeSelector: {} } }, true],
  ['a whole field', { ...wanted, spec: { ports: [port] } }, true],
  ['an item of a list', { ...wanted, spec: { ...wanted.spec, ports: [{ ...port, port: 81 }] } }, true],
  [
    'a field of an item',
    { ...wanted, spec: { ...wanted.spec, ports: [{ port: 80, protocol: 'TCP' }] } },
    true,
  ],
  ['a value of a set', { ...wanted, metadata: { finalizers: [] } }, true],
])('owns too much: %s', (_what, object, expected) => {
  expect(ownsMore(live, object, 'us')).toBe(expected)
})

it.each<[string, object, boolean]>([
  ['all that is wanted is its own', { spec: { nodeSelector: { disk: 'ssd' }, ports: [port] } }, false],
  ['of a list a default is left out', { spec: { ports: [{ port: 80, name: 'http' }] } }, false],
  ['what is empty is no field', { spec: { tolerations: [], affinity: {} } }, false],
  ['a field', { spec: { paused: true } }, true],
  ['an entry of a map', { spec: { nodeSelector: { zone: 'a' } } }, true],
  ['an item of a list', { spec: { ports: [{ ...port, port: 81 }] } }, true],
  ['a field of an item', { spec: { ports: [{ ...port, hostPort: 80 }] } }, true],
  ['a value of a set', { metadata: { finalizers: ['keep', 'other'] } }, true],
])('owns too little: %s', (_what, object, expected) => {
  expect(ownsLess(live, { ...identity, ...object }, 'us')).toBe(expected)
})

it('owns a map that is one field, with all that is in it, or not at all', () => {
  const fields = { 'f:spec': { 'f:selector': {} } }
  const made = { ...identity, metadata: { name: 'a', managedFields: [applied(fields)] } }
  const selector = { matchLabels: { app: 'a' } }
  expect(ownsLess(made, { ...identity, spec: { selector } }, 'us')).toBe(false)
  const taken = {
    ...identity,
    metadata: { name: 'a', managedFields: [applied({ 'f:spec': { 'f:paused': {} } })] },
  }
  expect(ownsLess(taken, { ...identity, spec: { selector } }, 'us')).toBe(true)
})

const edited = (manager: string, fieldsV1: object, subresource?: string) => ({
  manager,
  operation: 'Update',
  fieldsV1,
  ...(subresource && { subresource }),
})

it.each<[string, object[], string[]]>([
  ['nobody', [], []],
  ['who owns what is not wanted', [edited('hpa', { 'f:spec': { 'f:replicas': {} } })], []],
  ['who owns it too', [edited('them', { 'f:spec': { 'f:nodeSelector': { 'f:disk': {} } } })], []],
  ['who writes the status', [edited('controller', { 'f:spec': { 'f:paused': {} } }, 'status')], []],
  [
    'who took a field',
    [edited('kubectl-edit', { 'f:spec': { 'f:paused': {} } }), edited('hpa', { 'f:spec': { 'f:n': {} } })],
    ['kubectl-edit'],
  ],
  [
    'who took a field of an item of a list',
    [
      edited('kubectl-set', {
        'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:hostPort': {} } } },
      }),
    ],
    ['kubectl-set'],
  ],
  [
    'who took a value of a set',
    [edited('them', { 'f:metadata': { 'f:finalizers': { 'v:"b"': {} } } })],
    ['them'],
  ],
])('names as takers: %s', (_what, others, expected) => {
  const [own] = live.metadata.managedFields
  const now = { ...live, metadata: { name: 'a', managedFields: [own, ...others] } }
  const asked = {
    metadata: { finalizers: ['keep', 'b'] },
    spec: { nodeSelector: { disk: 'ssd' }, ports: [{ ...port, hostPort: 8080 }], paused: true },
  }
  expect(takers(now, asked, 'us')).toEqual(expected)
})

it('owns nothing of what was never applied', () => {
  const foreign = { ...live, metadata: { name: 'a' } }
  expect(ownsMore(foreign, wanted, 'us')).toBe(false)
  expect(ownsLess(foreign, { ...identity, ...wanted }, 'us')).toBe(true)
})
