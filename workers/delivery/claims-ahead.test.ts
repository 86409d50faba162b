import { setImmediate as turn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { encodeDelivery } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Outcome } from '../../core/providers/provider.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { renderOnLoop } from '../../test/harness/fakes/render-on-loop.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { catalogOf } from '../../test/simulation/catalog-of.ts'
import { channelOf } from '../../test/simulation/scenario.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { createDeliveryMetrics } from './metrics.ts'
import { startDeliveryWorker } from './worker.ts'

const idOf = (offset: number) => `00000000-0000-8000-8000-${String(offset).padStart(12, '0')}`

function recordAt(topic: string, offset: number): ConsumedRecord {
  const encoded = encodeDelivery({
    id: idOf(offset),
    notification_id: idOf(offset),
    notification: 'ntf_1',
    tenant: 'shop',
    channel: 'sms',
    channel_type: 'sms',
    recipient: 'phone:+15550100',
    address: '+15550100',
    content: { text: 'Hello' },
    data: {},
    metadata: {},
    accepted_at: '2026-01-01T00:00:00.000Z',
  })
  return { topic, partition: 0, offset, key: `k${offset}`, timestamp: 0, ...encoded }
}

/** A worker with one slot, whose claims and calls have taken 20 ms each so far. One more call is under way, and one more record there. */
async function oneInItsCall(delivery: object = {}) {
  const channel = channelOf({ delivery: { concurrency: 1, ...delivery } })
  const topics = channelTopics('p', channel.metadata, '', channel.spec.delivery.retryTiers)
  const clock = manualClock()
  const { broker, consumers } = scriptedBroker()
  const claimed: string[] = []
  const sent: string[] = []
  const finished: { id: string; status: string }[] = []
  const takes = () => new Promise<void>((resolve) => clock.after(20, resolve))
  /** Of each call to come, in the place of one after 20 ms. */
  const answers: Promise<Outcome>[] = []
  const worker = await startDeliveryWorker({
    channel,
    broker,
    catalog: catalogOf(channel),
    templates: renderOnLoop(),
    ledger: {
      async claim({ id }) {
        claimed.push(id)
        await takes()
        return { kind: 'claimed', claim: 1, uncounted: 0 }
      },
      finish: async ({ id, status }) => (finished.push({ id, status }), 'recorded'),
      giveUp: async () => true,
      restore: async () => {},
    },
    providers: [
      {
        name: 'primary',
        timeout: 60_000,
        maxConcurrent: 1,
        idempotency: 'none',
        provider: {
          async send(_message, { deliveryUuid }) {
            sent.push(deliveryUuid)
            const [answer] = answers
            if (answer !== undefined) return answer
            await takes()
            return { class: 'sent' }
          },
          close: async () => {},
        },
      },
    ],
    prefix: 'p',
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createDeliveryMetrics(new Registry()),
    sourceMetrics: createSourceMetrics(new Registry()),
  })
  const main = consumers.get(topics.group)!
  const partition = { topic: topics.main, partition: 0 }
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 10) {
      clock.advance(10)
      await turn()
    }
  }
  main.onAssigned({ epoch: 1, partitions: [partition] })
  const warm = Array.from({ length: 40 }, (_, offset) => recordAt(topics.main, offset))
  main.onRecords({ ...partition, epoch: 1, records: warm })
  await pass(4_000)
  expect(finished).toHaveLength(warm.length)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  answers.push(promise)
  const [inCall, waiting] = [40, 41].map((offset) => recordAt(topics.main, offset)) as [
    ConsumedRecord,
    ConsumedRecord,
  ]
  main.onRecords({ ...partition, epoch: 1, records: [inCall, waiting] })
  await pass(100)
  expect(sent.at(-1)).toBe(idOf(40))
  for (const seen of [claimed, finished]) seen.splice(0, 40)
  sent.length = 0
  return { worker, main, claimed, sent, finished, pass, resolve }
}

describe('G2: what is claimed before a slot is free for it', () => {
  it('is sent as soon as one is', async () => {
    const { claimed, sent, pass, resolve } = await oneInItsCall()
    expect(claimed).toEqual([idOf(40), idOf(41)])
    resolve({ class: 'sent' })
    await pass(10)
    expect(sent).toEqual([idOf(41)])
  })

  it('goes back unsent when the worker stops', async () => {
    const { worker, sent, finished, pass, resolve } = await oneInItsCall()
    const stopped = worker.stop()
    await pass(10)
    expect(finished).toEqual([{ id: idOf(41), status: 'queued' }])
    resolve({ class: 'sent' })
    await stopped
    expect(finished.at(-1)).toEqual({ id: idOf(40), status: 'sent' })
    expect(sent).toEqual([])
  })

  it('goes back unsent when its partition is lost, so that the next owner need not wait for the lease', async () => {
    const { main, sent, finished, pass, resolve } = await oneInItsCall()
    main.onRevoked(1)
    await pass(10)
    expect(finished).toEqual([{ id: idOf(41), status: 'queued' }])
    resolve({ class: 'sent' })
    await pass(3_000)
    expect(sent).toEqual([])
  })

  it('goes back unsent when no call ends for a second, and is sent later', async () => {
    const { claimed, sent, finished, pass, resolve } = await oneInItsCall()
    await pass(1_000)
    expect(finished[0]).toEqual({ id: idOf(41), status: 'queued' })
    resolve({ class: 'sent' })
    await pass(1_100)
    expect(claimed.length).toBeGreaterThan(2)
    expect(sent).toEqual([idOf(41)])
    expect(finished.at(-1)).toEqual({ id: idOf(41), status: 'sent' })
  })

  it('is nothing under Hold: a worker that dies would leave an end that nobody knows', async () => {
    const { claimed, sent, pass, resolve } = await oneInItsCall({ onUnknown: 'Hold' })
    expect(claimed).toEqual([idOf(40)])
    resolve({ class: 'sent' })
    await pass(100)
    expect(sent).toEqual([idOf(41)])
  })
})
