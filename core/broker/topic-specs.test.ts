import { expect, test } from 'vitest'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { channelTopicSpecs, installTopicSpecs } from './topic-specs.ts'

const channel = (topic: object) =>
  channelResource(
    { name: 'sms', namespace: 'shop' },
    {
      type: 'sms',
      providers: [{ name: 'one', type: 'sandbox' }],
      delivery: { retryTiers: ['5s', '1m'] },
      topic,
    },
  )

test('a channel has its main topic, one topic for each retry tier, and dead letters', () => {
  const config = {
    'cleanup.policy': 'delete',
    'retention.ms': '604800000',
    'min.insync.replicas': '2',
    'compression.type': 'producer',
    'unclean.leader.election.enable': 'false',
  }
  expect(channelTopicSpecs('carillon', channel({ partitions: 12 }))).toEqual([
    { name: 'carillon.shop.sms', partitions: 12, replicas: 3, config },
    { name: 'carillon.shop.sms.retry.5s', partitions: 1, replicas: 3, config },
    { name: 'carillon.shop.sms.retry.1m', partitions: 1, replicas: 3, config },
    { name: 'carillon.shop.sms.dlq', partitions: 1, replicas: 3, config },
  ])
})

test('a channel may name its topic, say how many copies there are, and set more', () => {
  const specs = channelTopicSpecs(
    'carillon',
    channel({
      name: 'sms-topic',
      replicas: 1,
      retention: '100h',
      config: { 'min.insync.replicas': '1', 'segment.ms': '1000' },
    }),
  )
  expect(specs.map(({ name }) => name)).toEqual([
    'sms-topic',
    'sms-topic.retry.5s',
    'sms-topic.retry.1m',
    'sms-topic.dlq',
  ])
  expect(specs[3]).toMatchObject({
    replicas: 1,
    config: { 'retention.ms': '360000000', 'min.insync.replicas': '1', 'segment.ms': '1000' },
  })
})

test('the catalog is compacted, and nothing of it is ever dropped for its age; all else is', () => {
  const specs = installTopicSpecs('c1', 3)
  expect(specs.map(({ name }) => name)).toEqual([
    'c1.requests',
    'c1.requests.dlq',
    'c1.events',
    'c1.catalog',
    'c1.workers',
  ])
  expect(specs[3]).toMatchObject({ partitions: 1, config: { 'cleanup.policy': 'compact' } })
  expect(specs[3]?.config).not.toHaveProperty('retention.ms')
  for (const { config } of specs.slice(0, 3)) {
    expect(config).toMatchObject({ 'cleanup.policy': 'delete', 'retention.ms': '604800000' })
  }
})

test('heartbeats are compacted, and those of killed workers go by their age', () => {
  expect(installTopicSpecs('c1', 3)[4]).toMatchObject({
    partitions: 1,
    config: { 'cleanup.policy': 'compact,delete', 'retention.ms': '3600000', 'segment.ms': '600000' },
  })
})
