import { expect, it } from 'vitest'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { BrokerError, type ConsumedRecord } from '../broker/broker.ts'
import { createLogger } from '../observability/logger.ts'
import { openCatalog } from './reader.ts'

/** A catalog whose topic ends where the test says, and whose records come when the test says. */
async function world(end: number) {
  const log: string[] = []
  const topic = { end, asked: 0, answer: () => Promise.resolve() }
  const { broker } = scriptedBroker()
  let hand: (record: ConsumedRecord) => void = () => {}
  const catalog = await openCatalog({
    broker: {
      ...broker,
      admin: {
        ...broker.admin,
        async offsetsAt(points) {
          topic.asked++
          await topic.answer()
          return points.map((point) => ({ topic: point.topic, partition: 0, offset: topic.end }))
        },
      },
      async follow(_topic, onRecord) {
        hand = onRecord
        return { close: async () => {} }
      },
    },
    topic: 'p.catalog',
    logger: createLogger({ level: 'INFO', destination: { write: (line) => void log.push(line) } }),
  })
  const record = {
    topic: 'p.catalog',
    partition: 0,
    key: 'NotificationChannel/a/b',
    headers: {},
    timestamp: 0,
  }
  return { catalog, topic, log, hand: (offset: number) => hand({ ...record, offset, value: null }) }
}

it('is current when all has been read that was there at the start, though the last of it was compacted away', async () => {
  const { catalog } = await world(12)
  expect(await catalog.isCurrent()).toBe(true)
})

it('is behind while records are in the topic that have not come, says so once, and is current when they have', async () => {
  const { catalog, topic, log, hand } = await world(3)
  topic.end = 5
  hand(3)
  expect(await catalog.isCurrent()).toBe(false)
  expect(await catalog.isCurrent()).toBe(false)
  expect(log.filter((line) => line.includes('is behind'))).toHaveLength(1)
  hand(4)
  expect(await catalog.isCurrent()).toBe(true)
  expect(log.filter((line) => line.includes('current again'))).toHaveLength(1)
})

it('knows nothing while the brokers are away', async () => {
  const { catalog, topic } = await world(3)
  topic.answer = () => Promise.reject(new BrokerError('unavailable', 'away'))
  expect(await catalog.isCurrent()).toBe(false)
})

it('asks for what was there at the call, and once for all who ask together', async () => {
  const { catalog, topic } = await world(3)
  const asked = topic.asked
  const gate = Promise.withResolvers<void>()
  topic.answer = () => gate.promise
  const first = [catalog.isCurrent(), catalog.isCurrent()]
  await new Promise((resolve) => setImmediate(resolve))
  const later = catalog.isCurrent()
  topic.end = 4
  gate.resolve()
  await Promise.all([...first, later])
  expect(topic.asked - asked).toBe(2)
})
