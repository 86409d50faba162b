import { expect, it } from 'vitest'
import type { ConsumedRecord, RecordToProduce } from '../broker/broker.ts'
import {
  keyOf,
  publishedRecord,
  readRecord,
  removedRecord,
  type Resource,
  revisionKeyOf,
  revisionOf,
  syncedRecord,
} from './records.ts'

/** Of a tool, which the catalog leaves out. */
const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' }
const resource = {
  apiVersion: 'carillon.dev/v1alpha1',
  kind: 'NotificationTemplate',
  metadata: { name: 'welcome', namespace: 'shop', labels: { team: 'a' }, annotations },
  spec: { defaultLocale: 'en', content: { sms: { text: 'Hi' } } },
  status: { revision: '1-3f9c2a' },
} as unknown as Resource
const { metadata, spec } = resource
const kept = {
  apiVersion: resource.apiVersion,
  kind: resource.kind,
  metadata: { name: metadata.name, namespace: metadata.namespace, labels: metadata.labels },
  spec,
}

/** The bytes of version 1 as they are in catalogs out there. A new version gets its own; these stay, and stay readable. */
const golden = {
  headers: { 'carillon-envelope': '1', 'content-type': 'application/json' },
  key: 'NotificationTemplate/shop/welcome',
  revisionKey: 'NotificationTemplate/shop/welcome@3f9c2a',
  published:
    '{"source":"folder","revision":"3f9c2a","resource":{"apiVersion":"carillon.dev/v1alpha1","kind":"NotificationTemplate","metadata":{"name":"welcome","namespace":"shop","labels":{"team":"a"}},"spec":{"defaultLocale":"en","content":{"sms":{"text":"Hi"}}}}}',
  synced: '{"source":"folder"}',
}

const published = { source: 'folder', revision: '3f9c2a', resource } as const
const consumed = ({ headers = {}, ...record }: RecordToProduce): ConsumedRecord => ({
  ...record,
  headers: { ...headers },
  partition: 0,
  offset: 0,
  timestamp: 0,
})
const bytes = ({ key, value, headers }: RecordToProduce) => ({ key, value: value && String(value), headers })

it('is written in exactly these bytes', () => {
  const { headers } = golden
  expect(keyOf(resource)).toBe(golden.key)
  expect(revisionKeyOf(resource, '3f9c2a')).toBe(golden.revisionKey)
  expect(bytes(publishedRecord('t', golden.key, published))).toEqual({
    key: golden.key,
    value: golden.published,
    headers,
  })
  expect(bytes(removedRecord('t', golden.key))).toEqual({ key: golden.key, value: null, headers })
  expect(bytes(syncedRecord('t', 'folder'))).toEqual({ key: 'synced', value: golden.synced, headers })
})

it('is read from exactly these bytes, also with what a newer version adds', () => {
  const read = (key: string, value: string | null) =>
    readRecord(
      consumed({
        topic: 't',
        key,
        value: value === null ? null : Buffer.from(value),
        headers: golden.headers,
      }),
    )
  const { key } = golden
  expect(read(key, golden.published)).toEqual({ kind: 'published', key, ...published, resource: kept })
  const grown = golden.published.replace('{"source"', '{"later":1,"source"')
  expect(read(key, grown)).toEqual({ kind: 'published', key, ...published, resource: kept })
  expect(read(key, null)).toEqual({ kind: 'removed', key })
  expect(read('synced', golden.synced)).toEqual({ kind: 'synced' })
})

it('is told apart when this version cannot read it', () => {
  const record = consumed(publishedRecord('t', golden.key, published))
  const newer = { ...golden.headers, 'carillon-envelope': '2' }
  expect(readRecord({ ...record, headers: newer })).toMatchObject({ kind: 'unreadable', key: golden.key })
  expect(readRecord({ ...record, key: null })).toMatchObject({ kind: 'unreadable' })
  expect(readRecord({ ...record, value: Buffer.from('{}') })).toMatchObject({ kind: 'unreadable' })
})

it('has the revision of its spec, which is that of version 1 for ever: another would publish everything anew', () => {
  expect(revisionOf(resource)).toBe('a370538f6c35')
})
