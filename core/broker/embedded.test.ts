import type { Kysely } from 'kysely'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testDatabase, type TestDatabase } from '../../test/harness/postgres/postgres.ts'
import { createLogger } from '../observability/logger.ts'
import type { Database } from '../store/schema.ts'
import type { ConsumedRecord, TopicPartitionOffset } from './broker.ts'
import { type EmbeddedBroker, openEmbeddedBroker } from './embedded.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const value = Buffer.from('x')

let database: TestDatabase
let topic: string
let topics = 0
const opened: EmbeddedBroker[] = []

beforeAll(async () => {
  database = await testDatabase()
  return () => database.close()
})
beforeEach(() => {
  topic = `topic-${++topics}`
})
afterEach(async () => {
  for (const broker of opened.splice(0)) await broker.close()
})

async function open(db: Kysely<Database> = database.db, now = Date.now): Promise<EmbeddedBroker> {
  const clock = { now: () => now(), monotonic: () => performance.now() }
  const broker = await openEmbeddedBroker({ db, logger, clock })
  opened.push(broker)
  return broker
}

async function openWithTopic(
  db?: Kysely<Database>,
  now?: () => number,
  config = {},
): Promise<EmbeddedBroker> {
  const broker = await open(db, now)
  await broker.admin.createTopics([{ name: topic, partitions: 1, replicas: 1, config }])
  return broker
}

/** Reads what a group gets until it has `count` records, commits, and leaves. */
async function consume(broker: EmbeddedBroker, group: string, count: number): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  const { promise, resolve, reject } = Promise.withResolvers<TopicPartitionOffset[]>()
  let epoch = 0
  const consumer = broker.consumer({
    group,
    topics: [topic],
    handlers: {
      onAssigned: (assignment) => (epoch = assignment.epoch),
      onRevoked: () => {},
      onError: reject,
      onRecords: (fetched) => {
        records.push(...fetched.records)
        const last = records.at(-1)!
        if (records.length >= count) resolve([{ topic, partition: 0, offset: last.offset + 1 }])
      },
    },
  })
  await consumer.start()
  await consumer.commit(epoch, await promise)
  await consumer.stop()
  return records
}

describe('the embedded broker opened again', () => {
  it('has its topics, records and committed positions', async () => {
    const before = await openWithTopic(undefined, undefined, { 'max.message.bytes': '5000' })
    await before.producer.produce([{ topic, key: 'a', value, headers: { h: '1' } }])
    await consume(before, 'group', 1)
    await before.producer.produce([{ topic, key: 'b', value }])
    await consume(before, 'group', 1)
    await before.admin.growPartitions(topic, 2)
    await before.producer.produce([{ topic, partition: 0, key: 'c', value }])

    const after = await open()

    expect(await after.admin.describeTopics([topic])).toEqual([
      { name: topic, partitions: 2, replicas: 1, config: { 'max.message.bytes': '5000' } },
    ])
    expect(await after.admin.lag([{ group: 'group', topics: [topic] }])).toMatchObject([
      { beginning: 0, end: 3, committed: 2, lag: 1 },
      { beginning: 0, end: 0, committed: null, lag: 0 },
    ])
    expect((await consume(after, 'group', 1)).map(({ key }) => key)).toEqual(['c'])
    expect((await consume(after, 'other', 3)).map(({ key, headers }) => [key, headers])).toEqual([
      ['a', { h: '1' }],
      ['b', {}],
      ['c', {}],
    ])
  })

  it('uses no offset a second time, also when every record is gone', async () => {
    let now = Date.now()
    const before = await openWithTopic(undefined, () => now, { 'retention.ms': '1000' })
    await before.producer.produce([
      { topic, key: null, value },
      { topic, key: null, value },
    ])
    now += 2_000
    await before.clean()

    const after = await open()

    expect(await after.producer.produce([{ topic, key: null, value }])).toEqual([
      { topic, partition: 0, offset: 2 },
    ])
    const rows = await database.db
      .selectFrom('broker_records')
      .innerJoin('broker_partitions', 'broker_partitions.id', 'broker_records.partition_id')
      .innerJoin('broker_topics', 'broker_topics.id', 'broker_partitions.topic_id')
      .where('name', '=', topic)
      .select('offset')
      .execute()
    expect(rows).toEqual([{ offset: 2 }])
  })
})

describe('retention of the embedded broker', () => {
  it('keeps what is young enough, and everything without a limit', async () => {
    let now = Date.now()
    const broker = await openWithTopic(undefined, () => now, { 'retention.ms': '1000' })
    const forever = `${topic}-forever`
    await broker.admin.createTopics([
      { name: forever, partitions: 1, replicas: 1, config: { 'retention.ms': '-1' } },
    ])
    await broker.producer.produce([
      { topic, key: 'old', value },
      { topic: forever, key: 'old', value },
    ])
    now += 800
    await broker.producer.produce([{ topic, key: 'young', value }])
    now += 800

    await broker.clean()

    expect(await broker.admin.lag([{ group: 'g', topics: [topic, forever] }])).toMatchObject([
      { topic, beginning: 1, end: 2 },
      { topic: forever, beginning: 0, end: 1 },
    ])
    expect((await consume(broker, 'g', 1)).map(({ key }) => key)).toEqual(['young'])
  })
})

describe('a store that fails', () => {
  it('gets a batch once, although its answer was lost', async () => {
    const store = faultyStore()
    const broker = await openWithTopic(store.db)
    await broker.producer.produce([{ topic, key: null, value }])

    store.loseAnswers = 1
    const positions = await broker.producer.produce([
      { topic, key: 'once', value },
      { topic, key: 'once too', value },
    ])
    const [next] = await broker.producer.produce([{ topic, key: 'next', value }])

    expect([...positions, next].map((position) => position!.offset)).toEqual([1, 2, 3])
    expect((await consume(broker, 'g', 4)).map(({ key, offset }) => [key, offset])).toEqual([
      [null, 0],
      ['once', 1],
      ['once too', 2],
      ['next', 3],
    ])
  })

  it('makes producers fail at once when too much waits, and serves the others when it is back', async () => {
    const store = faultyStore()
    const broker = await openWithTopic(store.db)
    const release = store.hold()
    const records = Array.from({ length: 5_000 }, () => ({ topic, key: null, value }))
    const waiting = [1, 2, 3, 4].map(() => broker.producer.produce(records))

    await expect(broker.producer.produce([{ topic, key: null, value }])).rejects.toMatchObject({
      code: 'queue_full',
    })

    release()
    expect((await Promise.all(waiting)).flat().map(({ offset }) => offset)).toEqual(
      Array.from({ length: 20_000 }, (_, offset) => offset),
    )
  })

  it('does not take other topics down with one that is deleted meanwhile', async () => {
    const store = faultyStore()
    const broker = await openWithTopic(store.db)
    const doomed = `${topic}-doomed`
    await broker.admin.createTopics([{ name: doomed, partitions: 1, replicas: 1, config: {} }])
    const release = store.hold()
    const first = broker.producer.produce([{ topic, key: null, value }])
    await store.held()
    const deleted = broker.admin.deleteTopics([doomed])
    const toDoomed = broker.producer.produce([{ topic: doomed, key: null, value }])
    const toOther = broker.producer.produce([{ topic, key: null, value }])

    release()

    await Promise.all([first, deleted])
    await expect(toDoomed).rejects.toMatchObject({ code: 'unknown_topic' })
    expect(await toOther).toMatchObject([{ topic, offset: 1 }])
  })
})

/** The database, with faults in its appends. */
function faultyStore() {
  let gate: Promise<void> = Promise.resolve()
  let arrived = Promise.withResolvers<void>()
  const store = {
    /** How many appends are committed whose answer never arrives. */
    loseAnswers: 0,
    /** Holds appends back until the function that it returns is called. */
    hold(): () => void {
      const held = Promise.withResolvers<void>()
      gate = held.promise
      arrived = Promise.withResolvers<void>()
      return held.resolve
    },
    /** Resolves when an append is held back. */
    held: () => arrived.promise,
    db: undefined as unknown as Kysely<Database>,
  }
  const { db } = database
  const append: Kysely<Database>['executeQuery'] = async (query) => {
    arrived.resolve()
    await gate
    const result = await db.executeQuery(query)
    if (store.loseAnswers-- > 0) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    return result
  }
  store.db = new Proxy(db, {
    get(_, property) {
      if (property === 'executeQuery') return append
      const member = Reflect.get(db, property, db) as unknown
      return typeof member === 'function' ? (member.bind(db) as unknown) : member
    },
  })
  return store
}
