import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { manualClock } from '../../test/harness/manual-clock.ts'
import { scriptedBroker } from '../../test/harness/scripted-broker.ts'
import { staticCatalog } from '../../test/harness/static-catalog.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { startPlanner } from './planner.ts'
import type { PlannedRequest } from './record.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A planner whose catalog learns of channels when the test says so. */
async function world({ defect = () => false }: { defect?: (planned: PlannedRequest) => boolean } = {}) {
  const { broker, consumers, produced, committed } = scriptedBroker()
  const clock = manualClock()
  const recorded: PlannedRequest[] = []
  const known = new Set(['sms'])
  const all = staticCatalog({ namespace: 'shop', channels: { sms: 'sms', new: 'sms' } })
  const planner = await startPlanner({
    broker,
    store: {
      users: async () => new Map(),
      async record(planned) {
        if (planned.some(defect)) throw new TypeError('x is not a function')
        recorded.push(...planned)
        return [...planned]
      },
    },
    catalog: { ...all, channel: (tenant, name) => (known.has(name) ? all.channel(tenant, name) : undefined) },
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
  const results = () => recorded.flatMap(({ deliveries }) => deliveries.map(({ result }) => result))
  const topics = () => produced.map(({ topic }) => topic).filter((topic) => topic !== 'p.events')
  return { planner, known, accept, pass, results, topics, committed }
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

it('ends the deliveries of a channel that does not come', async () => {
  const { planner, accept, pass, results } = await world()
  accept('new')
  await pass(8_000)
  expect(results()).toEqual([])
  await pass(4_000)
  expect(results()).toEqual([{ kind: 'skip', status: 'failed', reason: 'channel_deleted' }])
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
