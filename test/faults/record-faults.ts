import { Kafka, logLevel } from 'kafkajs'
import type { Broker, ConsumedRecord, RecordHeaders, RecordToProduce } from '../../core/broker/broker.ts'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { header } from '../../core/notification/envelope.ts'
import {
  channelTopics,
  plannerGroup,
  requestsDeadLettersTopic,
  requestsTopic,
} from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { readLedger, until } from '../harness/balance/load.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { expectMessages } from './expect-messages.ts'
import type { Fault } from './fault.ts'
import { expectToEnd, readMetrics, type World } from './world.ts'

/** Topics and groups of the channel of a world. */
export const hooks = ({ install }: World) =>
  channelTopics(install.prefix, { namespace: 'default', name: 'hooks' }, '', ['1s'])

/** Records that somebody else wrote to our topics. */
export const recordFaults: Fault[] = [
  {
    name: 'poison: garbage, wrong envelopes, forged headers',
    guarantees: ['G4', 'G5'],
    invariant:
      'each is a dead letter, byte for byte, and holds up nobody; a forged attempt or replay of a delivered message sends nothing',
    strike: (world) =>
      withBroker(world, async (broker) => {
        const { main, deadLetters } = hooks(world)
        const requests = requestsTopic(world.install.prefix)
        const requestsDeadLetters = requestsDeadLettersTopic(world.install.prefix)
        const record = await deliveredRecord(world, broker)
        const unreadable = forged.map((headers) => forge(record, headers))
        const before = await Promise.all(
          [deadLetters, requestsDeadLetters].map((topic) => values(broker, topic)),
        )

        await broker.producer.produce([
          ...poison.map((each) => ({ ...each, topic: main })),
          ...unreadable,
          forge(record, { [header.attempt]: '9' }),
          forge(record, { [header.replayEpoch]: '9' }),
          ...poison.map((each) => ({ ...each, topic: requests })),
        ])

        const expected = poison.map(({ value }) => textOf(value)).toSorted()
        const copies = unreadable.map(() => textOf(record.value))
        await until(
          async () =>
            isEqual((await values(broker, deadLetters)).slice(before[0]!.length), [...expected, ...copies]) &&
            isEqual((await values(broker, requestsDeadLetters)).slice(before[1]!.length), expected),
          'every poison record is a dead letter, byte for byte',
        )
      }),
  },
  {
    name: 'a delivery of an unknown major version',
    guarantees: ['G4', 'G5'],
    invariant: 'its partition is held, and only that; it goes on with a reader that knows the version',
    async strike(world, random) {
      const { main, group } = hooks(world)
      const worker = world.workers[0]!
      await holdAndRelease(world, { topic: main, group, role: worker }, random)
      world.startWorker()
      await world.stopWorker(worker)
    },
  },
  {
    name: 'a request of an unknown major version',
    guarantees: ['G4', 'G5'],
    invariant: 'its partition is held, and only that; it goes on with a reader that knows the version',
    async strike(world, random) {
      const { prefix } = world.install
      const { planner } = world
      await holdAndRelease(
        world,
        { topic: requestsTopic(prefix), group: plannerGroup(prefix), role: planner },
        random,
      )
      await expectToEnd(planner, 'the planner')
      world.restart('planner')
    },
  },
]

type Poison = Pick<RecordToProduce, 'key' | 'value' | 'headers'>

const envelope = { [header.version]: '1' }
const lineBreak = 'x\r\ncarillon-envelope: 1'
const poisonOf = (value: string | Buffer | null, headers: RecordHeaders = envelope): Poison => ({
  key: null,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers,
})

/** What no reader of deliveries or requests can read. */
const poison: Poison[] = [
  poisonOf(Buffer.from([0, 255, 254, 13, 10, 0]), {}),
  poisonOf('not JSON'),
  poisonOf('{}'),
  poisonOf('{"id":"../../etc/passwd"}'),
  poisonOf(null),
  poisonOf('{}', { [header.version]: lineBreak, [header.traceparent]: lineBreak }),
  poisonOf('[]', { ...envelope, [header.reason]: lineBreak, [header.origin]: lineBreak }),
  poisonOf('{"__proto__":{"id":1}}', { [header.version]: '1.0' }),
]

/** Headers that make poison of a record that is well otherwise. */
const forged: RecordHeaders[] = [
  { [header.attempt]: '0' },
  { [header.attempt]: '-1' },
  { [header.attempt]: '99999999999999' },
  { [header.attempt]: lineBreak },
  { [header.replayEpoch]: 'NaN' },
]

function forge({ topic, key, value, headers }: ConsumedRecord, changes: RecordHeaders): RecordToProduce {
  return { topic, key, value, headers: { ...headers, ...changes } }
}

/** A client of our own, for what the roles do not do. */
export async function withBroker<T>({ kafka }: World, use: (broker: Broker) => Promise<T>): Promise<T> {
  const logger = createLogger({ level: 'ERROR' })
  const broker = openKafkaBroker({ bootstrapServers: [kafka.address], clientId: 'test', logger })
  try {
    return await use(broker)
  } finally {
    await broker.close()
  }
}

async function read(broker: Broker, topic: string): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  const follower = await broker.follow(topic, (record) => void records.push(record))
  await follower.close()
  return records
}

const textOf = (value: Buffer | null) => value?.toString('hex') ?? 'null'

/** In the order of their times, since a topic may have several partitions. */
async function values(broker: Broker, topic: string): Promise<string[]> {
  const records = await read(broker, topic)
  return records.toSorted((a, b) => a.timestamp - b.timestamp).map(({ value }) => textOf(value))
}

function isEqual(left: readonly string[], right: readonly string[]): boolean {
  return JSON.stringify(left.toSorted()) === JSON.stringify(right.toSorted())
}

/** A record of the channel whose message was delivered. */
async function deliveredRecord(world: World, broker: Broker): Promise<ConsumedRecord> {
  const record = (await read(broker, hooks(world).main)).find(
    ({ headers }) => headers[header.version] === '1',
  )
  if (record === undefined) throw new Error('there is no record')
  const { notification } = JSON.parse(String(record.value)) as { notification: string }
  await until(async () => {
    const [delivery] = await readLedger(world.api.url()!, [{ notification }])
    return delivery?.status === 'sent'
  }, 'the message of the first record is delivered')
  return record
}

interface Reader {
  topic: string
  group: string
  role: RoleProcess
}

/**
 * Puts a record of a version that is to come into one partition, sees that it alone stands still, and takes the record away: to whoever reads
 * next, that is as if it could be read.
 */
async function holdAndRelease(
  world: World,
  { topic, group, role }: Reader,
  random: () => number,
): Promise<void> {
  const partition = Math.floor(random() * 6)
  await withBroker(world, async (broker) => {
    const future = {
      topic,
      partition,
      key: null,
      value: Buffer.from('?'),
      headers: { [header.version]: '2' },
    }
    const [position] = await broker.producer.produce([future])
    const held = `carillon_partition_held{group="${group}",topic="${topic}",partition="${partition}"} 1`
    const isHeld = async () => (await readMetrics(role)).includes(held)
    await until(isHeld, `partition ${partition} is held`)
    await expectMessages(world, 50, 'the other partitions go on')
    // What came before it must be finished: it goes with it.
    const committed = async () => {
      const lags = await broker.admin.lag([{ group, topics: [topic] }])
      return lags.find((lag) => lag.partition === partition)?.committed ?? 0
    }
    await until(
      async () => (await committed()) >= position!.offset,
      `partition ${partition} is finished up to it`,
    )
    if ((await committed()) > position!.offset)
      throw new Error('the group went past a record that it cannot read')

    const admin = new Kafka({ brokers: [world.kafka.address], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    // Only this makes kafkajs learn who leads the partition.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition, offset: String(position!.offset + 1) }],
    })
    await admin.disconnect()
  })
}
