import { expect, test } from 'vitest'
import type { Admin, TopicSpec } from './broker.ts'
import { applyTopicChanges, planTopics } from './reconcile-topics.ts'

const spec = (change: Partial<TopicSpec> = {}): TopicSpec => ({
  name: 'carillon.shop.email',
  partitions: 3,
  replicas: 3,
  config: { 'retention.ms': '1000', 'cleanup.policy': 'delete' },
  ...change,
})

test('a missing topic is created, one that fits is left alone', () => {
  expect(planTopics([spec()], [])).toEqual({ changes: [{ kind: 'create', spec: spec() }], problems: [] })
  expect(planTopics([spec()], [spec()])).toEqual({ changes: [], problems: [] })
})

test('a topic grows, and only the configuration that differs is repaired', () => {
  const found = spec({ config: { 'retention.ms': '5', 'cleanup.policy': 'delete', 'segment.ms': '7' } })
  expect(planTopics([spec({ partitions: 12 })], [found])).toEqual({
    changes: [
      { kind: 'grow', topic: 'carillon.shop.email', from: 3, to: 12 },
      { kind: 'configure', topic: 'carillon.shop.email', config: { 'retention.ms': '1000' } },
    ],
    problems: [],
  })
})

test('configuration that nobody named stays', () => {
  const found = spec({ config: { ...spec().config, 'segment.ms': '7' } })
  expect(planTopics([spec()], [found]).changes).toEqual([])
})

test('fewer partitions are refused, and so are more copies; fewer copies than there are do no harm', () => {
  expect(planTopics([spec({ partitions: 2 })], [spec()])).toEqual({
    changes: [],
    problems: [
      'topic carillon.shop.email has 3 partitions and cannot shrink to 2: set topic.partitions to 3',
    ],
  })
  expect(planTopics([spec()], [spec({ replicas: 1 })]).problems).toEqual([
    'topic carillon.shop.email has 1 of the 3 copies asked for; kafka-reassign-partitions adds them',
  ])
  expect(planTopics([spec({ replicas: 1 })], [spec()])).toEqual({ changes: [], problems: [] })
})

test('changes are made in one creation, then topic by topic', async () => {
  const calls: unknown[] = []
  const note =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push([name, ...args])
      return Promise.resolve()
    }
  const admin = {
    createTopics: note('create'),
    growPartitions: note('grow'),
    alterConfig: note('configure'),
  } as unknown as Admin
  const [one, two] = [spec({ name: 'one' }), spec({ name: 'two' })]
  await applyTopicChanges(admin, [
    { kind: 'create', spec: one },
    { kind: 'grow', topic: 'three', from: 1, to: 2 },
    { kind: 'create', spec: two },
    { kind: 'configure', topic: 'three', config: { 'retention.ms': '1' } },
  ])
  expect(calls).toEqual([
    ['create', [one, two]],
    ['grow', 'three', 2],
    ['configure', 'three', { 'retention.ms': '1' }],
  ])
})
