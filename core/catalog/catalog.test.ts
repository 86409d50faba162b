import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { channelResource, templateResource } from '../../test/harness/fakes/resources.ts'
import { type TestDatabase, testDatabase } from '../../test/harness/postgres/postgres.ts'
import type { Broker, RecordToProduce } from '../broker/broker.ts'
import { openEmbeddedBroker } from '../broker/embedded.ts'
import { createLogger } from '../observability/logger.ts'
import { publishCatalog } from './publisher.ts'
import { type OpenCatalog, openCatalog } from './reader.ts'
import { keyOf, type Resource, revisionOf, type Source } from './records.ts'

let database: TestDatabase
let broker: Broker
let catalog: OpenCatalog
let topic: string
let count = 0
let log: string[]

beforeAll(async () => {
  database = await testDatabase()
  const quiet = createLogger({ level: 'ERROR', destination: { write: () => {} } })
  broker = await openEmbeddedBroker({ db: database.db, logger: quiet })
})
afterAll(async () => {
  await broker.close()
  await database.close()
})

beforeEach(async () => {
  topic = `catalog-${++count}`
  await broker.admin.createTopics([
    { name: topic, partitions: 1, replicas: 1, config: { 'cleanup.policy': 'compact' } },
  ])
  catalog = await open()
})
afterEach(() => catalog.close())

function open(): Promise<OpenCatalog> {
  log = []
  const logger = createLogger({ level: 'WARNING', destination: { write: (line) => void log.push(line) } })
  return openCatalog({ broker, topic, logger })
}

const channel = (name: string, timeout = '10s') =>
  channelResource(
    { name, namespace: 'shop' },
    { type: 'sms', providers: [{ name: 'primary', type: 'sandbox', timeout }] },
  )
const template = (name: string, text: string) =>
  templateResource({ name, namespace: 'shop' }, { content: { sms: { text } } })

/** Publishes, and counts what was written besides the marker. */
async function publish(resources: Resource[], source: Source = 'folder') {
  const written: RecordToProduce[] = []
  const producer: Broker['producer'] = {
    produce: (records) => {
      written.push(...records)
      return broker.producer.produce(records)
    },
  }
  const { refused } = await publishCatalog({
    producer,
    topic,
    source,
    resources,
    published: catalog.published(),
  })
  await expect
    .poll(() =>
      written.every(
        ({ key, value }) => key === 'synced' || catalog.published().has(key!) === (value !== null),
      ),
    )
    .toBe(true)
  return { refused, written: written.slice(0, -1).map(({ key, value }) => [key, value !== null]) }
}

describe('catalog', () => {
  it('is not synced before the first publication has ended, and is for everyone who opens it later', async () => {
    expect(catalog.synced()).toBe(false)
    await publish([channel('sms')])
    await expect.poll(() => catalog.synced()).toBe(true)
    const later = await open()
    expect(later.synced()).toBe(true)
    expect(later.channel('shop', 'sms')?.resource).toEqual(channel('sms'))
    await later.close()
  })

  it('writes what differs and takes back what is gone', async () => {
    const welcome = template('welcome', 'Hi')
    const revision = `${keyOf(welcome)}@${revisionOf(welcome)}`
    expect((await publish([channel('sms'), welcome])).written).toEqual([
      ['NotificationChannel/shop/sms', true],
      [revision, true],
      ['NotificationTemplate/shop/welcome', true],
    ])
    expect((await publish([channel('sms'), welcome])).written).toEqual([])
    expect((await publish([channel('sms', '5s'), welcome])).written).toEqual([
      ['NotificationChannel/shop/sms', true],
    ])
    expect((await publish([])).written).toEqual([
      ['NotificationChannel/shop/sms', false],
      ['NotificationTemplate/shop/welcome', false],
    ])
    expect([...catalog.channels(), ...catalog.templates()]).toEqual([])
  })

  it('keeps the revision that a waiting delivery names when the template changes or goes', async () => {
    const before = template('welcome', 'Hi')
    const after = template('welcome', 'Hello')
    await publish([before])
    await publish([after])
    expect(catalog.template('shop', 'welcome')?.resource).toEqual(after)
    for (const version of [before, after]) {
      expect(catalog.templateRevision('shop', 'welcome', revisionOf(version))?.resource).toEqual(version)
    }
    await publish([])
    expect(catalog.template('shop', 'welcome')).toBeUndefined()
    expect(catalog.templateRevision('shop', 'welcome', revisionOf(after))?.resource).toEqual(after)
  })

  it('lets no source overwrite or take back what belongs to another', async () => {
    await publish([template('welcome', 'from the cluster')], 'kubernetes')
    const { refused, written } = await publish(
      [template('welcome', 'mine'), template('other', 'mine')],
      'api',
    )
    expect(refused).toEqual(['NotificationTemplate/shop/welcome'])
    expect(written.map(([key]) => key)).not.toContain('NotificationTemplate/shop/welcome')
    await publish([], 'api')
    expect(catalog.template('shop', 'welcome')?.resource).toEqual(template('welcome', 'from the cluster'))
  })

  it('lists by namespace, in order of name, and tells of changes', async () => {
    let changes = 0
    const stop = catalog.onChange(() => changes++)
    await publish([channel('b'), channel('a')])
    expect(catalog.channels('shop').map(({ resource }) => resource.metadata.name)).toEqual(['a', 'b'])
    expect(catalog.channels('shopping')).toEqual([])
    expect(changes).toBeGreaterThanOrEqual(2)
    const seen = changes
    stop()
    await publish([])
    expect(changes).toBe(seen)
  })

  it('ignores and reports what it cannot read, and keeps what it had', async () => {
    await publish([channel('sms')])
    const key = 'NotificationChannel/shop/sms'
    const version = { 'carillon-envelope': '1' }
    await broker.producer.produce([
      { topic, key, value: Buffer.from('{"source":"folder"'), headers: version },
      { topic, key, value: Buffer.from('{}'), headers: { 'carillon-envelope': '9' } },
      { topic, key: 'end', value: null, headers: {} },
    ])
    await expect.poll(() => log.length).toBe(3)
    expect(catalog.channel('shop', 'sms')?.resource).toEqual(channel('sms'))
  })

  it('publishes names and labels of a resource, and none of its annotations', async () => {
    const plain = channel('sms')
    const labels = { team: 'shop' }
    const metadata = { ...plain.metadata, labels, annotations: { secret: 'last applied' } }
    await publish([{ ...plain, metadata }])
    expect(catalog.channel('shop', 'sms')?.resource.metadata).toEqual({
      name: 'sms',
      namespace: 'shop',
      labels,
    })
  })

  it('gives equal specs equal revisions, whatever the order of their fields', () => {
    const one = channel('sms')
    const turned = { ...one, spec: Object.fromEntries(Object.entries(one.spec).toReversed()) } as typeof one
    expect(revisionOf(turned)).toBe(revisionOf(one))
    expect(revisionOf(channel('sms', '11s'))).not.toBe(revisionOf(one))
  })
})
