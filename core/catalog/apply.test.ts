import { expect, test } from 'vitest'
import type { Broker, RecordToProduce, TopicDescription, TopicSpec } from '../broker/broker.ts'
import { type ApplyPlanned, carryOut, planApply } from './apply.ts'
import { kinds } from './kinds.ts'
import { checkTemplate } from '../template/check.ts'
import { type Published, readRecord } from './records.ts'

const channel = (name: string, spec = '', tiers = '5s') => ({
  file: `${name}.yaml`,
  text: `apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: shop}
spec:
  type: sms
  providers: [{name: one, type: sandbox}]
  delivery: {retryTiers: [${tiers}]}
${spec}`,
})

/** A cluster that remembers, and a catalog that says what was published. */
function setUp() {
  const topics = new Map<string, TopicDescription>()
  const published = new Map<string, Published>()
  const produced: RecordToProduce[] = []
  const broker = {
    admin: {
      describeTopics: (names: readonly string[]) =>
        Promise.resolve(names.flatMap((name) => topics.get(name) ?? [])),
      listTopics: (prefix: string) =>
        Promise.resolve([...topics.keys()].filter((name) => name.startsWith(prefix))),
      createTopics: (specs: readonly TopicSpec[]) => {
        for (const spec of specs) topics.set(spec.name, spec)
        return Promise.resolve()
      },
      growPartitions: (name: string, partitions: number) => {
        topics.set(name, { ...topics.get(name)!, partitions })
        return Promise.resolve()
      },
      alterConfig: (name: string, config: Record<string, string>) => {
        const topic = topics.get(name)!
        topics.set(name, { ...topic, config: { ...topic.config, ...config } })
        return Promise.resolve()
      },
      deleteTopics: (names: readonly string[]) => {
        for (const name of names) topics.delete(name)
        return Promise.resolve()
      },
    },
    producer: {
      produce: (records: readonly RecordToProduce[]) => {
        produced.push(...records)
        for (const record of records) {
          const read = readRecord({
            ...record,
            headers: record.headers ?? {},
            partition: 0,
            offset: 0,
            timestamp: 0,
          })
          if (read.kind === 'removed') published.delete(read.key)
          if (read.kind === 'published') published.set(read.key, read)
        }
        return Promise.resolve([])
      },
    },
  } as unknown as Broker
  const plan = (...files: ReturnType<typeof channel>[]) =>
    planApply({
      files,
      published,
      admin: broker.admin,
      kinds,
      checkTemplate: async (template) => checkTemplate(template),
      prefix: 'carillon',
      replicas: 1,
    })
  const apply = async (...files: ReturnType<typeof channel>[]) => {
    const planned = await plan(...files)
    if (planned.kind === 'planned')
      await carryOut(planned.plan, { broker, published: new Map(published), prefix: 'carillon' })
    return linesOf(planned)
  }
  return { topics, published, produced, plan, apply }
}

const linesOf = (planned: ApplyPlanned) =>
  planned.kind === 'planned' ? planned.plan.lines : planned.problems

test('makes topics and catalog from nothing, with no more copies than there are brokers; again, nothing changes', async () => {
  const { topics, published, apply } = setUp()
  expect(await apply(channel('sms'))).toEqual([
    'Topic carillon.requests created',
    'Topic carillon.requests.dlq created',
    'Topic carillon.events created',
    'Topic carillon.catalog created',
    'Topic carillon.workers created',
    'Topic carillon.shop.sms created',
    'Topic carillon.shop.sms.retry.5s created',
    'Topic carillon.shop.sms.dlq created',
    'NotificationChannel shop/sms created',
  ])
  expect(topics.get('carillon.shop.sms')).toMatchObject({
    partitions: 3,
    replicas: 1,
    config: { 'min.insync.replicas': '1' },
  })
  expect([...published.keys()]).toEqual(['NotificationChannel/shop/sms'])
  expect(await apply(channel('sms'))).toEqual(['NotificationChannel shop/sms unchanged'])
})

test('planning changes nothing', async () => {
  const { topics, produced, plan } = setUp()
  expect((await plan(channel('sms'))).kind).toBe('planned')
  expect(topics.size).toBe(0)
  expect(produced).toEqual([])
})

test('grows a topic, repairs a setting that drifted, and takes back what is gone', async () => {
  const { topics, published, apply } = setUp()
  await apply(channel('sms'), channel('other'))
  const drifted = topics.get('carillon.shop.sms.dlq')!
  topics.set(drifted.name, {
    ...drifted,
    config: { ...drifted.config, 'retention.ms': '1', 'segment.ms': '9' },
  })
  expect(await apply(channel('sms', '  topic: {partitions: 5}'))).toEqual([
    'Topic carillon.shop.sms configured: 3 -> 5 partitions',
    'Topic carillon.shop.sms.dlq configured: retention.ms=604800000',
    'NotificationChannel shop/sms configured',
    'NotificationChannel shop/other removed',
  ])
  expect(topics.get('carillon.shop.sms')?.partitions).toBe(5)
  expect(topics.get('carillon.shop.sms.dlq')?.config).toMatchObject({
    'retention.ms': '604800000',
    'segment.ms': '9',
  })
  expect([...published.keys()]).toEqual(['NotificationChannel/shop/sms'])
  expect(topics.has('carillon.shop.other')).toBe(true)
})

test('the topic of a tier that is taken out stays with what is on it, and goes with the channel', async () => {
  const { topics, apply } = setUp()
  await apply(channel('sms', '', '5s, 5m'))
  expect(await apply(channel('sms'))).toEqual(['NotificationChannel shop/sms configured'])
  expect(topics.has('carillon.shop.sms.retry.5m')).toBe(true)
  await apply(channel('sms', '  topic: {deletionPolicy: Delete}'), channel('other'))
  await apply(channel('other'))
  expect([...topics.keys()].filter((name) => name.startsWith('carillon.shop.sms'))).toEqual([])
})

test('topics of a removed channel go only when it says so, and after the catalog', async () => {
  const { topics, apply } = setUp()
  await apply(channel('sms'), channel('gone', '  topic: {deletionPolicy: Delete}'))
  expect(await apply(channel('sms'))).toEqual([
    'NotificationChannel shop/sms unchanged',
    'NotificationChannel shop/gone removed',
    'Topic carillon.shop.gone removed',
    'Topic carillon.shop.gone.retry.5s removed',
    'Topic carillon.shop.gone.dlq removed',
  ])
  expect(topics.has('carillon.shop.gone')).toBe(false)
})

test('a bad manifest, a forbidden change and a topic that would shrink refuse everything, with their places', async () => {
  const { topics, produced, apply } = setUp()
  await apply(channel('sms'))
  const before = produced.length
  expect(await apply(channel('sms'), channel('bad', '  concurrency: 3'))).toEqual([
    expect.stringMatching(/^bad\.yaml:8: spec\.concurrency: /),
  ])
  expect(await apply(channel('sms', '  topic: {partitions: 2}'))).toEqual([
    'sms.yaml:8: spec.topic.partitions: may grow, never shrink',
  ])
  topics.set('carillon.shop.sms', { ...topics.get('carillon.shop.sms')!, partitions: 9 })
  expect(await apply(channel('sms'))).toEqual([
    'topic carillon.shop.sms has 9 partitions and cannot shrink to 3',
  ])
  expect(produced).toHaveLength(before)
})

test('a folder without manifests takes nothing away, and a name of another source is not changed', async () => {
  const { published, apply } = setUp()
  await apply(channel('sms'))
  expect(await apply()).toEqual(['there is no manifest to apply'])
  const [key, entry] = [...published][0]!
  published.set(key, { ...entry, source: 'kubernetes' })
  expect(await apply(channel('sms'))).toEqual([
    'NotificationChannel shop/sms comes from kubernetes and is changed there',
  ])
})
