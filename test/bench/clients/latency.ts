/**
 * Records through Kafka and back, at an even pace, in a process of its own: `latency.ts SUBJECT host:port SECONDS`. Prints a
 * {@link LatencySample} as JSON. Both subjects acknowledge with `acks=all`, read one topic of 6 partitions in a group and commit nothing.
 */
import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { openKafkaBroker } from '../../../core/broker/kafka.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { pace } from '../measure/pace.ts'
import { quantile } from '../measure/statistics.ts'

export interface LatencySample {
  /** Milliseconds from the call of `produce` until the consumer hands the record over. */
  p50: number
  p99: number
  /** Microseconds of CPU for each record, there and back. */
  cpu: number
}

/** Produces to and consumes from one topic. */
interface Subject {
  produce(key: string, value: Buffer): Promise<unknown>
  close(): Promise<void>
}

type Open = (address: string, topic: string, onRecord: (key: string) => void) => Promise<Subject>

const perSecond = 500
const warmUp = 2
const value = Buffer.alloc(300, 'x')

const subjects: Record<string, Open> = {
  async carillon(address, topic, onRecord) {
    const logger = createLogger({ level: 'ERROR' })
    const broker = openKafkaBroker({ bootstrapServers: [address], clientId: 'bench', logger })
    await broker.admin.createTopics([{ name: topic, partitions: 6, replicas: 1, config: {} }])
    const consumer = broker.consumer({
      group: topic,
      topics: [topic],
      handlers: {
        onAssigned: () => {},
        onRevoked: () => {},
        onRecords: ({ records }) => records.forEach(({ key }) => onRecord(key!)),
        onError: (error) => {
          throw error
        },
      },
    })
    await consumer.start()
    return {
      produce: (key, value) => broker.producer.produce([{ topic, key, value }]),
      close: () => broker.close(),
    }
  },

  async kafkajs(address, topic, onRecord) {
    const kafka = new Kafka({ clientId: 'bench', brokers: [address], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions: 6, replicationFactor: 1 }] })
    await admin.disconnect()
    const consumer = kafka.consumer({ groupId: topic })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => onRecord(message.key!.toString()),
    })
    await joined
    const producer = kafka.producer()
    await producer.connect()
    return {
      produce: (key, value) => producer.send({ topic, acks: -1, messages: [{ key, value }] }),
      async close() {
        await producer.disconnect()
        await consumer.disconnect()
      },
    }
  },
}

const [name = '', address = '', seconds = ''] = process.argv.slice(2)
const open = subjects[name]
if (open === undefined)
  throw new Error(`usage: latency.ts ${Object.keys(subjects).join('|')} host:port SECONDS`)
const waiting = new Map<string, (at: number) => void>()
const subject = await open(address, `bench-${randomUUID()}`, (key) => {
  waiting.get(key)?.(performance.now())
  waiting.delete(key)
})

await pace({ perSecond, seconds: warmUp }, thereAndBack)
const before = process.cpuUsage()
const latencies = await pace({ perSecond, seconds: Number(seconds) }, thereAndBack)
const { user, system } = process.cpuUsage(before)
await subject.close()
const sample: LatencySample = {
  p50: quantile(latencies, 0.5),
  p99: quantile(latencies, 0.99),
  cpu: (user + system) / latencies.length,
}
process.stdout.write(JSON.stringify(sample))

async function thereAndBack(): Promise<number> {
  const key = randomUUID()
  const arrived = new Promise<number>((resolve) => waiting.set(key, resolve))
  const sentAt = performance.now()
  await subject.produce(key, value)
  return (await arrived) - sentAt
}
