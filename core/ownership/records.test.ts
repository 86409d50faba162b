import { expect, it } from 'vitest'
import type { RecordToProduce } from '../broker/broker.ts'
import { creatingMark, installRecord, markRecord, readOwnershipRecord, type TopicMark } from './records.ts'

const owner = { channel: 'shop/email', deletionPolicy: 'Delete' } as const
const spec = { name: 't', partitions: 3, replicas: 2, config: { 'retention.ms': '1000' } }
const headers = { 'carillon-envelope': '1', 'content-type': 'application/json' }
const install = { id: 'kubernetes-1', name: 'the operator in namespace carillon-system' }

/**
 * The bytes of version 1 as they are in installs out there. Nothing else says whose a topic is: a version that reads them otherwise would leave topics
 * alone, or take another's.
 */
const golden: [string, TopicMark | undefined, string | null][] = [
  [
    'creating',
    creatingMark(owner, spec),
    '{"state":"creating","channel":"shop/email","deletionPolicy":"Delete","as":{"partitions":3,"replicas":2,"config":{"retention.ms":"1000"}}}',
  ],
  [
    'created',
    { state: 'created', ...owner },
    '{"state":"created","channel":"shop/email","deletionPolicy":"Delete"}',
  ],
  [
    'adopted',
    { state: 'adopted', channel: 'shop/email', deletionPolicy: 'Retain' },
    '{"state":"adopted","channel":"shop/email","deletionPolicy":"Retain"}',
  ],
  ['taken back', undefined, null],
]

const bytes = ({ topic, key, value, headers }: RecordToProduce) => ({
  topic,
  key,
  value: value && String(value),
  headers,
})
const read = (key: string | null, value: string | null, found: Record<string, string> = headers) =>
  readOwnershipRecord({
    topic: 'p.ownership',
    partition: 0,
    offset: 0,
    timestamp: 0,
    key,
    value: value === null ? null : Buffer.from(value),
    headers: found,
  })

it.each(golden)(
  'a mark that is %s is written in exactly these bytes, and read from them',
  (_, mark, value) => {
    expect(bytes(markRecord('p', 't', mark))).toEqual({
      topic: 'p.ownership',
      key: 'topic/t',
      value,
      headers,
    })
    expect(read('topic/t', value)).toEqual({ kind: 'mark', topic: 't', mark })
  },
)

it('so is the install', () => {
  const value = '{"id":"kubernetes-1","name":"the operator in namespace carillon-system"}'
  expect(bytes(installRecord('p', install))).toEqual({ topic: 'p.ownership', key: 'install', value, headers })
  expect(read('install', value)).toEqual({ kind: 'install', install })
})

it.each<[string, ReturnType<typeof read>]>([
  ['another version', read('install', JSON.stringify(install), { ...headers, 'carillon-envelope': '2' })],
  ['no key', read(null, JSON.stringify(install))],
  ['another key', read('topics/t', golden[1]![2])],
  ['no install', read('install', null)],
  ['a state that is none', read('topic/t', '{"state":"lent","channel":"shop/email"}')],
  ['no JSON', read('topic/t', '{')],
])('tells %s as unreadable', (_, record) => {
  expect(record).toEqual({ kind: 'unreadable' })
})
