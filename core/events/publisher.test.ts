import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { BrokerError, type RecordToProduce } from '../broker/broker.ts'
import { createLogger } from '../observability/logger.ts'
import type { StatusChange } from './delivery-event.ts'
import { createEventMetrics, createEventPublisher } from './publisher.ts'

const change: StatusChange = {
  id: '0f0e0d0c-0b0a-8908-8706-050403020100',
  notification: 'ntf_1',
  namespace: 'shop',
  channel: 'email',
  type: 'email',
  status: 'sent',
  reason: null,
  attempt: 1,
  replay: 0,
}

/** A publisher whose broker does what `answer` says, and whose holds end when the test says so. */
function world(answer: () => Promise<void>) {
  const writes: RecordToProduce[][] = []
  const log: string[] = []
  const holds: (() => void)[] = []
  const registry = new Registry()
  const giveUp = new AbortController()
  const publisher = createEventPublisher({
    producer: {
      async produce(records) {
        writes.push([...records])
        await answer()
        return []
      },
    },
    prefix: 'p',
    clock: {
      now: () => 0,
      monotonic: () => 0,
      after: (_milliseconds, callback) => (holds.push(callback), () => {}),
    },
    logger: createLogger({ level: 'WARNING', destination: { write: (line) => void log.push(line) } }),
    metrics: createEventMetrics(registry),
    signal: giveUp.signal,
  })
  const publish = (attempt: number) => publisher.publish({ ...change, attempt })
  const count = async (name: string) => (await registry.getSingleMetric(name)!.get()).values[0]?.value
  return { publisher, publish, writes, log, holds, giveUp, count }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

it('writes what comes meanwhile together, and lets more come after a write', async () => {
  const first = Promise.withResolvers<void>()
  const { publish, publisher, writes, holds, count } = world(() =>
    writes.length === 1 ? first.promise : Promise.resolve(),
  )
  const published = [publish(1)]
  await turn()
  published.push(publish(2))
  first.resolve()
  await turn()
  published.push(publish(3))
  expect(writes).toHaveLength(1)
  holds.shift()!()
  await Promise.all(published)
  expect(writes.map(({ length }) => length)).toEqual([1, 2])
  await publisher.idle()
  expect(await count('carillon_events_published_total')).toBe(3)
})

it('waits for a broker that is away, and writes the same again', async () => {
  const { publish, publisher, writes, holds } = world(async () => {
    if (writes.length === 1) throw new BrokerError('unavailable', 'away')
  })
  let told = false
  const published = publish(1).then(() => (told = true))
  await turn()
  expect(told).toBe(false)
  holds.shift()!()
  await published
  expect(writes[1]).toEqual(writes[0])
  await publisher.idle()
})

it("stands in nobody's way where the topic is gone: drops, counts, and says so once", async () => {
  const { publish, holds, log, count } = world(async () => {
    throw new BrokerError('unknown_topic', 'topic p.events does not exist')
  })
  await publish(1)
  const second = publish(2)
  await turn()
  holds.shift()!()
  await second
  expect(await count('carillon_events_dropped_total')).toBe(2)
  expect(log).toHaveLength(1)
  expect(log[0]).toContain('carillon apply')
})

it('says that it was not told when the wait is given up, and then waits for nothing', async () => {
  const { publish, publisher, giveUp } = world(async () => {
    throw new BrokerError('unavailable', 'away')
  })
  const published = publish(1)
  void turn().then(() => giveUp.abort())
  await expect(published).rejects.toMatchObject({ name: 'AbortError' })
  await publisher.idle()
})
