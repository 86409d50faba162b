import { expect, test } from 'vitest'
import { changeProblems } from './change.ts'
import { channelSchema } from './channel.ts'
import { caseProviders } from './manifest.cases.ts'
import { formatPath } from './problem.ts'

const schema = channelSchema(caseProviders)

const channel = (spec: object) =>
  schema.parse({
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationChannel',
    metadata: { name: 'a' },
    spec: { type: 'email', providers: [{ name: 'a', type: 'sandbox' }], ...spec },
  })

const told = (before: object, after: object) =>
  changeProblems(schema, channel(before), channel(after)).map(
    ({ path, message }) => `${formatPath(path)}: ${message}`,
  )

test('a channel keeps its type', () => {
  expect(told({}, { type: 'sms' })).toEqual(['spec.type: is immutable'])
})

test('a channel keeps its topic, and with it what is still to be delivered', () => {
  const immutable = 'spec.topic.name: is immutable: what is on the old topics would never be delivered'
  expect(told({}, { topic: { name: 'mail' } })).toEqual([immutable])
  expect(told({ topic: { name: 'mail' } }, {})).toEqual([immutable])
  expect(told({ topic: { name: 'mail' } }, { topic: { name: 'mail', partitions: 9 } })).toEqual([])
})

test('partitions grow and never shrink, whether written or by default', () => {
  expect(told({ topic: { partitions: 6 } }, { topic: { partitions: 5 } })).toEqual([
    'spec.topic.partitions: may grow, never shrink',
  ])
  expect(told({ topic: { partitions: 6 } }, {})).toEqual(['spec.topic.partitions: may grow, never shrink'])
  expect(told({}, { topic: { partitions: 4 } })).toEqual([])
})

test('everything else may change', () => {
  const providers = [{ name: 'b', type: 'smtp', smtp: { host: 'mail' } }]
  expect(
    told(
      {},
      { suspend: true, providers, topic: { retention: '200h', config: { 'min.insync.replicas': '2' } } },
    ),
  ).toEqual([])
})
