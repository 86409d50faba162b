import { expect, test } from 'vitest'
import {
  type Broker,
  BrokerError,
  type ConsumedRecord,
  type RecordToProduce,
  type TopicDescription,
  type TopicSpec,
} from '../broker/broker.ts'
import { catalogTopic, ownershipTopic } from '../notification/topics.ts'
import { createLogger } from '../observability/logger.ts'
import { Ownership } from '../ownership/ownership.ts'
import { type ApplyPlanned, carryOut, planApply } from './apply.ts'
import { kinds } from './kinds.ts'
import { checkTemplate } from '../template/check.ts'
import type { Entry } from './reader.ts'
import { readRecord } from './records.ts'

const prefix = 'carillon'
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
  const published = new Map<string, Entry>()
  const produced: RecordToProduce[] = []
  const world = { catalogIsAway: false, now: 0 }
  const followers: ((record: ConsumedRecord) => void)[] = []
  const broker = {
    admin: {
      describeTopics: (names: readonly string[]) =>
        Promise.resolve(names.flatMap((name) => topics.get(name) ?? [])),
      listTopics: (prefix: string) =>
        Promise.resolve([...topics.keys()].filter((name) => name.startsWith(prefix))),
      createTopics: (specs: readonly TopicSpec[]) => {
        const before = specs.map(({ name }) => name).filter((name) => topics.has(name))
        for (const spec of specs) if (!before.includes(spec.name)) topics.set(spec.name, spec)
        return Promise.resolve(before)
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
        if (world.catalogIsAway && records.some(({ topic }) => topic === catalogTopic(prefix)))
          return Promise.reject(new BrokerError('unavailable', 'no broker answers'))
        produced.push(...records)
        for (const record of records) {
          const consumed = { ...record, headers: record.headers ?? {}, partition: 0, offset: 0, timestamp: 0 }
          if (record.topic === ownershipTopic(prefix)) for (const follow of followers) follow(consumed)
          const read = readRecord(consumed)
          if (read.kind === 'removed') published.delete(read.key)
          if (read.kind === 'published') published.set(read.key, { ...read, publishedAt: world.now })
        }
        return Promise.resolve([])
      },
    },
    follow: (_topic: string, onRecord: (record: ConsumedRecord) => void) => {
      followers.push(onRecord)
      return Promise.resolve({ close: () => Promise.resolve() })
    },
  } as unknown as Broker
  const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
  const install = { id: 'ours', name: 'us' }
  const opening = Ownership.open({ broker, prefix, install, logger, beforeWrite: () => {} })
  const plan = async (...files: ReturnType<typeof channel>[]) =>
    planApply({
      files,
      published,
      marks: (await opening).marks,
      admin: broker.admin,
      kinds,
      checkTemplate: async (template) => checkTemplate(template),
      prefix,
      replicas: 1,
      now: world.now,
    })
  const apply = async (...files: ReturnType<typeof channel>[]) => {
    const planned = await plan(...files)
    const ownership = await opening
    const signal = AbortSignal.timeout(10_000)
    const parts = { broker, ownership, published: new Map(published), prefix }
    if (planned.kind === 'planned') {
      if (!ownership.isOurs) await ownership.claim(signal)
      await carryOut(planned.plan, parts, signal)
    }
    return linesOf(planned)
  }
  return { world, topics, published, produced, plan, apply }
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

test('topics of a removed channel that could not be published go too', async () => {
  const { world, topics, apply } = setUp()
  world.catalogIsAway = true
  const both = [channel('sms'), channel('gone', '  topic: {deletionPolicy: Delete}')]
  await expect(apply(...both)).rejects.toThrow('no broker answers')
  expect(topics.has('carillon.shop.gone')).toBe(true)
  world.catalogIsAway = false
  expect(await apply(channel('sms'))).toContain('Topic carillon.shop.gone removed')
  expect([...topics.keys()].filter((name) => name.startsWith('carillon.shop.gone'))).toEqual([])
})

test('topics of a channel that somebody else publishes stay', async () => {
  const { topics, published, apply } = setUp()
  await apply(channel('sms'), channel('other', '  topic: {deletionPolicy: Delete}'))
  const key = 'NotificationChannel/shop/other'
  published.set(key, { ...published.get(key)!, source: 'kubernetes' })
  await apply(channel('sms'))
  expect(topics.has('carillon.shop.other')).toBe(true)
})

test('a topic of somebody else is left alone until it is adopted, and stays when the channel goes', async () => {
  const { topics, produced, apply } = setUp()
  const foreign = { name: 'theirs', partitions: 1, replicas: 1, config: { 'retention.ms': '1' } }
  topics.set('theirs', foreign)
  const wanting = channel('sms', '  topic: {name: theirs, deletionPolicy: Delete}')
  expect(await apply(wanting)).toEqual([
    expect.stringMatching(/^topic theirs is there already, and this install did not make it: /),
  ])
  expect(produced).toEqual([])
  expect([...topics.values()]).toEqual([foreign])
  const adopting = wanting.text.replace(
    'namespace: shop',
    '$&, annotations: {carillon.dev/adopt-topics: "true"}',
  )
  expect(await apply({ ...wanting, text: adopting }, channel('other'))).toContain(
    'NotificationChannel shop/sms created',
  )
  expect(topics.get('theirs')).toMatchObject({ partitions: 3, config: { 'retention.ms': '604800000' } })
  expect(await apply(channel('other'))).toEqual([
    'NotificationChannel shop/other unchanged',
    'NotificationChannel shop/sms removed',
    'Topic theirs.retry.5s removed',
    'Topic theirs.dlq removed',
  ])
  expect([...topics.keys()].filter((name) => name.startsWith('theirs'))).toEqual(['theirs'])
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
    'topic carillon.shop.sms has 9 partitions and cannot shrink to 3: set topic.partitions to 9',
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

test('former revisions of templates stay for as long as a record may name them', async () => {
  const { world, published, apply } = setUp()
  const template = (text: string) => ({
    file: 'welcome.yaml',
    text: `apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: welcome, namespace: shop}
spec: {content: {sms: {text: ${text}}}}
`,
  })
  const revisions = () => [...published.keys()].filter((key) => key.includes('@'))
  const day = 86_400_000
  await apply(channel('sms'), template('one'))
  const [one] = revisions()
  world.now += 100 * day
  await apply(channel('sms'), template('two'))
  const [, two] = revisions()
  // A week of requests, three days of waiting, a week of dead letters.
  world.now += 17 * day
  await apply(channel('sms'), template('two'))
  expect(revisions()).toEqual([one, two])
  world.now += 1
  await apply(channel('sms'), template('one'))
  expect(revisions()).toEqual([one, two])
  world.now += 18 * day
  await apply(channel('sms'), template('one'))
  expect(revisions()).toEqual([one])
})
