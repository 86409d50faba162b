/** What most services do: one `producer.send` of kafkajs for each request, and the answer when it is acknowledged: `naive-kafka.ts host:port`. */
import { fastify } from 'fastify'
import { Kafka, logLevel } from 'kafkajs'
import { bareRoute } from './bare-route.ts'
import { serve } from './serve.ts'

const kafka = new Kafka({ clientId: 'naive', brokers: process.argv.slice(2), logLevel: logLevel.ERROR })
const topic = 'naive.requests'
const admin = kafka.admin()
await admin.connect()
await admin.createTopics({ topics: [{ topic, numPartitions: 6, replicationFactor: 1 }] })
await admin.disconnect()
const producer = kafka.producer()
await producer.connect()

const app = fastify()
bareRoute(app, async (id, body) => {
  await producer.send({ topic, acks: -1, messages: [{ key: id, value: JSON.stringify({ id, ...body }) }] })
})
await serve(app, () => producer.disconnect())
