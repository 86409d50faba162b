import { expect, it } from 'vitest'
import { ownsMore } from './owned.ts'

const live = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'a',
    managedFields: [
      {
        manager: 'us',
        operation: 'Apply',
        fieldsV1: {
          'f:metadata': { 'f:finalizers': { 'v:"keep"': {} } },
          'f:spec': {
            'f:nodeSelector': { 'f:disk': {} },
            'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:name': {} } },
          },
        },
      },
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

it('owns nothing of what was never applied', () => {
  expect(ownsMore({ ...live, metadata: { name: 'a' } }, wanted, 'us')).toBe(false)
})
