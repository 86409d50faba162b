import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { BrokerError, type ConsumerHandlers } from '../core/broker/broker.ts'
import { createLogger } from '../core/observability/logger.ts'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { scriptedBroker } from '../test/harness/fakes/scripted-broker.ts'
import { Source, type Work } from './source.ts'
import { createSourceMetrics } from './source-metrics.ts'

const partition = { topic: 't', partition: 0 }
const away = new BrokerError('unavailable', 'away')

const empty = { key: null, value: null, headers: {}, timestamp: 0 }
const options = {
  group: 'g',
  topics: ['t'],
  clock: manualClock(),
  logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
  metrics: createSourceMetrics(new Registry()),
  bounds: { records: 100, bytes: 100_000 },
}

async function startSource(): Promise<{ source: Source; handlers: ConsumerHandlers }> {
  const { broker, consumers } = scriptedBroker()
  const source = new Source({ ...options, broker, onRecord: (_record, { done }) => done() })
  await source.start()
  const handlers = consumers.get('g')!
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  return { source, handlers }
}

it('is ready again by itself after trouble, by what it brings or by a new assignment', async () => {
  const { source, handlers } = await startSource()
  expect(source.healthy).toBe(true)
  handlers.onError(away, false)
  expect(source.healthy).toBe(false)
  const record = { ...partition, ...empty, offset: 0 }
  handlers.onRecords({ ...partition, epoch: 1, records: [record] })
  expect(source.healthy).toBe(true)
  handlers.onError(away, false)
  handlers.onRevoked(1)
  expect(source.healthy).toBe(false)
  handlers.onAssigned({ epoch: 2, partitions: [partition] })
  expect(source.healthy).toBe(true)
  await source.stop()
  expect(source.healthy).toBe(false)
})

it('is not made ready by what an epoch brings that is over', async () => {
  const { source, handlers } = await startSource()
  handlers.onRevoked(1)
  handlers.onError(away, false)
  handlers.onRecords({ ...partition, epoch: 1, records: [] })
  expect(source.healthy).toBe(false)
  await source.stop()
})

it('tells the first failure from which there is no return', async () => {
  const { source, handlers } = await startSource()
  handlers.onError(away, false)
  handlers.onError(new BrokerError('unauthorized', 'no'), true)
  await expect(source.failed).resolves.toMatchObject({ code: 'unauthorized' })
  expect(source.healthy).toBe(false)
  await source.stop()
})

it('reads on beside one record that takes long, and not without end', async () => {
  const { broker, consumers } = scriptedBroker()
  let paused = false
  const consumer = { pause: () => (paused = true), resume: () => (paused = false) }
  const open: typeof broker.consumer = (options) => Object.assign(broker.consumer(options), consumer)
  let finish = () => {}
  const source = new Source({
    ...options,
    broker: { ...broker, consumer: open },
    onRecord: ({ offset }, { done }) => (offset === 0 ? (finish = done) : done()),
  })
  await source.start()
  const handlers = consumers.get('g')!
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  const read = (from: number, to: number) => {
    const offsets = Array.from({ length: to - from }, (_, index) => from + index)
    const records = offsets.map((offset) => ({ ...partition, ...empty, offset }))
    handlers.onRecords({ ...partition, epoch: 1, records })
  }
  read(0, 999)
  expect(paused).toBe(false)
  read(999, 1_000)
  expect(paused).toBe(true)
  finish()
  expect(paused).toBe(false)
  await source.stop()
})

it('loses nothing of a log that begins again: it reads that from its beginning, and commits how far it is there', async () => {
  const { broker, consumers, committed } = scriptedBroker()
  const taken: Work[] = []
  const offsets: number[] = []
  const source = new Source({
    ...options,
    broker,
    onRecord: ({ offset }, work) => {
      taken.push(work)
      offsets.push(offset)
    },
  })
  await source.start()
  const handlers = consumers.get('g')!
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  const read = (...some: number[]) => {
    const records = some.map((offset) => ({ ...partition, ...empty, offset }))
    handlers.onRecords({ ...partition, epoch: 1, records })
  }
  read(0, 1, 2)
  taken[0]!.done()
  read(0, 1)
  expect(offsets).toEqual([0, 1, 2, 0, 1])
  // What came before is finished too, but is no part of the new log.
  for (const work of [taken[1]!, taken[2]!, taken[3]!]) work.done()
  expect(taken.every((work) => !work.abandoned())).toBe(true)
  await source.stop()
  expect(committed).toEqual([{ ...partition, offset: 1 }])
})

it('is stopped while it waits for its group', async () => {
  const { broker } = scriptedBroker()
  const { promise, reject } = Promise.withResolvers<void>()
  const waiting = {
    start: () => promise,
    stop: async () => reject(new BrokerError('closed', 'the consumer was stopped')),
  }
  const open: typeof broker.consumer = (consumer) => Object.assign(broker.consumer(consumer), waiting)
  const source = new Source({ ...options, broker: { ...broker, consumer: open }, onRecord: () => {} })
  const stopping = new AbortController()
  const started = source.start(stopping.signal)
  stopping.abort()
  await expect(started).rejects.toMatchObject({ code: 'closed' })
})
