import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import { sleep } from '../../core/clock.ts'
import { decodeDelivery, encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { neverWritten, type RecordToHold, type RefusedDelivery } from '../../core/store/held-records.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { startPlanner } from './planner.ts'
import type { PlannedRequest } from './record.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A planner whose catalog learns of channels when the test says so. */
async function world({
  defect = () => false,
  isBehind = () => false,
}: {
  defect?: (planned: PlannedRequest) => boolean
  isBehind?: () => boolean
} = {}) {
  const { broker, consumers, produced, committed, refusals, attempts } = scriptedBroker()
  const held: RecordToHold[] = []
  const failed: RefusedDelivery[] = []
  const clock = manualClock()
  const recorded: PlannedRequest[] = []
  const batches: number[] = []
  const known = new Set(['sms'])
  const all = staticCatalog({ namespace: 'shop', channels: { sms: 'sms', new: 'sms' } })
  const planner = await startPlanner({
    broker,
    store: {
      users: async () => new Map(),
      async record(planned) {
        if (planned.some(defect)) throw new TypeError('x is not a function')
        recorded.push(...planned)
        batches.push(planned.length)
        return [...planned]
      },
      hold: async (records) => void held.push(...records),
      held: {
        topics: () => Promise.reject(new Error('the sweeper asks this')),
        behind: async (topics) => new Set(topics.filter((name) => held.some(({ topic }) => topic === name))),
        read: async (topic, limit) =>
          held
            .filter((record) => record.topic === topic)
            .slice(0, limit)
            .map((record) => ({ ...record, sequence: held.indexOf(record) })),
        strikeOff: async (records) => {
          const written = new Set(records.map(({ delivery }) => delivery))
          held.splice(0, Infinity, ...held.filter(({ delivery }) => !written.has(delivery)))
        },
        endRefused: async (refused) =>
          void failed.push(...refused.map(({ record: { delivery }, reason }) => ({ delivery, reason }))),
        dropEnded: () => Promise.reject(new Error('the sweeper asks this')),
      },
      failRefused: async (refused) => void failed.push(...refused),
    },
    catalog: {
      ...all,
      isCurrent: async () => !isBehind(),
      channel: (tenant, name) => (known.has(name) ? all.channel(tenant, name) : undefined),
    },
    keys: deriveInstallKeys(Buffer.alloc(32)),
    prefix: 'p',
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createSourceMetrics(new Registry()),
  })
  const handlers = consumers.get('p.planner')!
  const partition = { topic: 'p.requests', partition: 0 }
  handlers.onAssigned({ epoch: 1, partitions: [partition] })
  let offset = 0
  function accept(channel: string, change: Partial<RequestEnvelope> = {}): void {
    const request: RequestEnvelope = {
      id: `00000000-0000-7000-8000-${String(offset).padStart(12, '0')}`,
      body_hash: 'ab'.repeat(32),
      tenant: 'shop',
      to: [{ phone: '+15550001' }],
      channels: [channel],
      content: { text: 'Hi' },
      data: {},
      metadata: {},
      accepted_at: new Date(clock.now()).toISOString(),
      ...change,
    }
    const record = {
      ...partition,
      offset: offset++,
      key: 'k',
      timestamp: clock.now(),
      ...encodeRequest(request),
    }
    handlers.onRecords({ ...partition, epoch: 1, records: [record] })
  }
  async function pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(500)
      await turn()
      await turn()
    }
  }
  const asked = (topic: string) => attempts.filter((name) => name === topic).length
  const results = () => recorded.flatMap(({ deliveries }) => deliveries.map(({ result }) => result))
  /** The numbers of the requests whose deliveries are on a topic, in order. */
  const written = (topic: string) =>
    produced
      .filter((record) => record.topic === topic)
      .map(({ value, headers }) => decodeDelivery(value, headers ?? {}))
      .map((decoded) => decoded.kind === 'ok' && Number(decoded.envelope.notification_id.slice(-12)))
  const topics = () => produced.map(({ topic }) => topic).filter((topic) => topic !== 'p.events')
  return {
    planner,
    known,
    clock,
    accept,
    pass,
    batches,
    results,
    topics,
    committed,
    refusals,
    held,
    failed,
    asked,
    written,
  }
}

it('waits for a channel that the API knew and its own catalog does not yet, and for nothing else', async () => {
  const { planner, known, accept, pass, results, topics, committed } = await world()
  accept('new')
  accept('sms')
  await pass(2_000)
  expect(topics()).toEqual(['p.shop.sms'])
  known.add('new')
  await pass(2_000)
  expect(topics()).toEqual(['p.shop.sms', 'p.shop.new'])
  expect(results().map(({ kind }) => kind)).toEqual(['send', 'send'])
  expect(committed.at(-1)).toMatchObject({ offset: 2 })
  await planner.stop()
})

it('plans together what comes together, at once after a pause, and otherwise no sooner than 5 ms after the batch before', async () => {
  const { planner, clock, accept, batches } = await world()
  for (let count = 0; count < 3; count++) accept('sms')
  await turn()
  expect(batches).toEqual([3])
  clock.advance(4)
  for (let count = 0; count < 2; count++) accept('sms')
  await turn()
  expect(batches).toEqual([3])
  clock.advance(1)
  await turn()
  expect(batches).toEqual([3, 2])
  clock.advance(5)
  accept('sms')
  await turn()
  expect(batches).toEqual([3, 2, 1])
  const stopped = planner.stop()
  // The events of the last two have waited for more.
  clock.advance(20)
  await stopped
})

it('ends the deliveries of a channel that does not come', async () => {
  const { planner, accept, pass, results } = await world()
  accept('new')
  await pass(8_000)
  expect(results()).toEqual([])
  await pass(4_000)
  expect(results()).toEqual([{ kind: 'skip', status: 'failed', reason: 'channel_deleted' }])
  await planner.stop()
})

it('waits for a channel for as long as its own catalog is behind', async () => {
  let isBehind = true
  const { planner, known, accept, pass, results, topics } = await world({ isBehind: () => isBehind })
  accept('new')
  await pass(60_000)
  expect(results()).toEqual([])
  known.add('new')
  isBehind = false
  await pass(2_000)
  expect(topics()).toEqual(['p.shop.new'])
  await planner.stop()
})

it('sets a request aside whose time of acceptance is none, and plans what comes after it', async () => {
  const { planner, accept, pass, topics, committed } = await world()
  accept('sms', { accepted_at: 'soon' })
  accept('sms')
  await pass(2_000)
  expect(topics().toSorted()).toEqual(['p.requests.dlq', 'p.shop.sms'])
  expect(committed.at(-1)).toMatchObject({ offset: 2 })
  await planner.stop()
})

it('plans what comes after a request that a defect of ours keeps from being planned, and that one once it is mended', async () => {
  let isMended = false
  const defect = ({ request }: PlannedRequest) => !isMended && request.id.endsWith('0')
  const { planner, accept, pass, topics, committed } = await world({ defect })
  accept('sms')
  accept('sms')
  await pass(2_000)
  expect(topics()).toEqual(['p.shop.sms'])
  isMended = true
  await pass(5_000)
  expect(topics()).toEqual(['p.shop.sms', 'p.shop.sms'])
  expect(committed.at(-1)).toMatchObject({ offset: 2 })
  await planner.stop()
})

it('G5: stops for no topic that is missing, however much is for it, and keeps that apart', async () => {
  const { planner, known, accept, pass, topics, committed, refusals, held } = await world()
  known.add('new')
  refusals.set('p.shop.new', new BrokerError('unknown_topic', 'no such topic'))
  // More than one partition may have unfinished.
  for (let count = 0; count < 2_500; count++) accept('new')
  accept('sms')
  // One batch of 200 in each half of a second.
  await pass(8_000)
  expect(topics()).toEqual(['p.shop.sms'])
  expect(held).toHaveLength(2_500)
  expect(held[0]).toMatchObject({ topic: 'p.shop.new', state: neverWritten })
  expect(committed.at(-1)).toMatchObject({ offset: 2_501 })
  await planner.stop()
})

it('G6: lets nothing overtake what waits for its topic: first all of that is written, however much it is', async () => {
  const { planner, known, accept, pass, committed, refusals, held, written } = await world()
  known.add('new')
  refusals.set('p.shop.new', new BrokerError('unknown_topic', 'no such topic'))
  for (let count = 0; count < 3_000; count++) accept('new')
  await pass(10_000)
  expect(held).toHaveLength(3_000)
  refusals.clear()
  await pass(10_000)
  // One batch writes 2,501 of what waits, and what it brings itself waits too; the next one writes the rest.
  for (let batch = 0; batch < 2; batch++) {
    accept('new')
    await pass(1_000)
  }
  expect(held).toEqual([])
  expect(written('p.shop.new')).toEqual(Array.from({ length: 3_002 }, (_, offset) => offset))
  expect(committed.at(-1)).toMatchObject({ offset: 3_002 })
  await planner.stop()
})

it('sends the deliveries of a request whose other channel has no topic once, and does not ask that topic again and again', async () => {
  const { planner, known, accept, pass, topics, refusals, held, asked } = await world()
  known.add('new')
  refusals.set('p.shop.new', new BrokerError('unauthorized', 'not yours'))
  accept('sms', { channels: ['sms', 'new'] })
  await pass(1_000)
  accept('new')
  await pass(5_000)
  expect(topics()).toEqual(['p.shop.sms'])
  expect(held).toHaveLength(2)
  expect(asked('p.shop.new')).toBe(1)
  await planner.stop()
})

it.each([
  ['record_too_large', 'too_large'],
  ['invalid_record', 'invalid_record'],
] as const)(
  'ends a delivery whose record its topic will never take (%s), and no other, now or later',
  async (code, reason) => {
    const { planner, accept, pass, topics, committed, refusals, held, failed } = await world()
    refusals.set('p.shop.sms', (records) =>
      records.some(({ value }) => value!.length > 2_000) ? new BrokerError(code, 'as told') : undefined,
    )
    accept('sms')
    accept('sms', { content: { text: 'x'.repeat(3_000) } })
    accept('sms')
    await pass(1_000)
    accept('sms')
    await pass(1_000)
    expect(topics()).toEqual(['p.shop.sms', 'p.shop.sms', 'p.shop.sms'])
    expect(failed).toMatchObject([{ reason }])
    expect(held).toEqual([])
    expect(committed.at(-1)).toMatchObject({ offset: 4 })
    await planner.stop()
  },
)

it('writes what waits behind a record that its topic will never take, in the order in which it came', async () => {
  const { planner, known, accept, pass, refusals, held, failed, written } = await world()
  known.add('new')
  refusals.set('p.shop.new', new BrokerError('unknown_topic', 'no such topic'))
  for (let count = 0; count < 5; count++)
    accept('new', count === 0 ? { content: { text: 'x'.repeat(3_000) } } : {})
  await pass(1_000)
  expect(held).toHaveLength(5)
  refusals.set('p.shop.new', (records) =>
    records.some(({ value }) => value!.length > 2_000)
      ? new BrokerError('invalid_record', 'as told')
      : undefined,
  )
  await pass(10_000)
  accept('new')
  await pass(1_000)
  expect(failed).toMatchObject([{ reason: 'invalid_record' }])
  expect(held).toEqual([])
  expect(written('p.shop.new')).toEqual([1, 2, 3, 4, 5])
  await planner.stop()
})

it.each([
  // More than one partition may have unfinished.
  ['unknown_topic', 2_100],
  ['unauthorized', 3],
  ['unavailable', 3],
] as const)(
  'G5: keeps what cannot be read apart while the dead letters of requests have no topic (%s), and nothing behind it waits',
  async (code, count) => {
    const { planner, clock, accept, pass, topics, committed, refusals, held, asked } = await world()
    // A broker takes its time to say no.
    refusals.set('p.requests.dlq', async () => {
      await sleep(clock, 1_000)
      return new BrokerError(code, 'as told')
    })
    for (let poison = 0; poison < count; poison++) accept('sms', { accepted_at: 'soon' })
    for (let good = 0; good < 3; good++) {
      accept('sms')
      await pass(3_000)
    }
    expect(topics()).toEqual(['p.shop.sms', 'p.shop.sms', 'p.shop.sms'])
    expect(held).toHaveLength(count)
    expect(held[0]).toMatchObject({ topic: 'p.requests.dlq', state: null })
    expect(held[0]!.headers).toMatchObject({
      'carillon-reason': 'poison',
      'carillon-origin': 'p.requests/0/0',
    })
    expect(new Set(held.map(({ delivery }) => delivery)).size).toBe(count)
    expect(committed.at(-1)).toMatchObject({ offset: count + 3 })
    expect(asked('p.requests.dlq')).toBe(count)
    await planner.stop()
  },
)

it('is done with a request that cannot be read and whose dead letter its topic takes in no form', async () => {
  const { planner, accept, pass, committed, refusals, held } = await world()
  refusals.set('p.requests.dlq', new BrokerError('invalid_record', 'as told'))
  accept('sms', { accepted_at: 'soon' })
  await pass(2_000)
  expect(held).toEqual([])
  expect(committed.at(-1)).toMatchObject({ offset: 1 })
  await planner.stop()
})

it.each(['another channel', 'nothing but its events'])(
  'G5: keeps what is for a topic without a leader apart, when %s is there to be written',
  async (beside) => {
    const { planner, known, accept, pass, topics, committed, refusals, held, asked } = await world()
    known.add('new')
    refusals.set('p.shop.new', new BrokerError('unavailable', 'no leader'))
    accept('new')
    const after = beside === 'another channel' ? 20 : 0
    for (let count = 0; count < after; count++) accept('sms')
    await pass(20_000)
    expect(topics()).toEqual(Array.from({ length: after }, () => 'p.shop.sms'))
    expect(held.map(({ topic }) => topic)).toEqual(['p.shop.new'])
    expect(committed.at(-1)).toMatchObject({ offset: after + 1 })
    accept('new')
    await pass(5_000)
    expect(held).toHaveLength(2)
    expect(asked('p.shop.new')).toBe(1)
    await planner.stop()
  },
)

it('G5: keeps nothing apart while the whole cluster is away, and plans on when it is back', async () => {
  const { planner, accept, pass, topics, committed, refusals, held } = await world()
  for (const topic of ['p.shop.sms', 'p.events']) refusals.set(topic, new BrokerError('unavailable', 'away'))
  accept('sms')
  await pass(60_000)
  expect(held).toEqual([])
  expect(committed).toEqual([])
  refusals.clear()
  await pass(5_000)
  expect(topics()).toEqual(['p.shop.sms'])
  expect(committed.at(-1)).toMatchObject({ offset: 1 })
  await planner.stop()
})
