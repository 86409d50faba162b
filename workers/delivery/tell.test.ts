import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { RecordToProduce } from '../../core/broker/broker.ts'
import { systemClock } from '../../core/clock.ts'
import type { StatusChange } from '../../core/events/delivery-event.ts'
import { type DeliveryEnvelope, encodeDelivery } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Outcome } from '../../core/providers/provider.ts'
import { Admission } from './admission.ts'
import { createDeliver } from './deliver.ts'
import { Destinations } from './destinations.ts'
import { createFollowUps } from './follow-ups.ts'
import { Lane } from './lane.ts'
import type { ClaimResult } from './ledger.ts'
import { createDeliveryMetrics } from './metrics.ts'
import { createSend } from './send.ts'
import { createTell } from './tell.ts'
import { readWork } from './work.ts'

/** What a worker tells of a delivery, and when. */

const envelope: DeliveryEnvelope = {
  id: '00000000-0000-8000-8000-000000000001',
  notification_id: '00000000-0000-7000-8000-000000000001',
  notification: 'ntf_1',
  tenant: 'shop',
  channel: 'texts',
  channel_type: 'sms',
  recipient: 'phone:+15550100',
  address: '+15550100',
  content: { text: 'Hello' },
  data: {},
  metadata: {},
  accepted_at: '2025-12-31T23:59:59.000Z',
}
const common = {
  id: envelope.id,
  notification: 'ntf_1',
  namespace: 'shop',
  channel: 'texts',
  type: 'sms',
  reason: null,
  attempt: 1,
  replay: 0,
}

interface Setup {
  claim?: ClaimResult
  outcome?: Outcome
  onUnknown?: 'Retry' | 'Hold'
  publish?: () => Promise<void>
}

function world({ outcome = { class: 'sent' }, ...setup }: Setup) {
  const told: StatusChange[] = []
  const produced: RecordToProduce[] = []
  const topics = channelTopics('p', { namespace: 'shop', name: 'texts' }, '', ['30s'])
  const tiers = [{ tier: '30s', milliseconds: 30_000 }]
  const provider = {
    name: 'primary',
    timeout: 10_000,
    maxConcurrent: 8,
    idempotency: 'none' as const,
    provider: { send: async () => outcome, close: async () => {} },
  }
  const clock = systemClock
  const lanes = [new Lane({ provider, clock, limiter: undefined })]
  const admission = new Admission({ lanes, clock, onOpening: () => {} })
  const channel = { namespace: 'shop', channel: 'texts' }
  const metrics = createDeliveryMetrics(new Registry())
  const producer = { produce: async (records: readonly RecordToProduce[]) => (produced.push(...records), []) }
  const deliver = createDeliver({
    ledger: {
      claim: async () => setup.claim ?? { kind: 'claimed', claim: 1, uncounted: 0 },
      finish: async () => true,
      restore: async () => {},
    },
    followUps: createFollowUps({ producer, topics, tiers, clock }),
    tell: createTell({
      publish: async (change) => {
        told.push(change)
        await setup.publish?.()
      },
    }),
    send: createSend({ enterAfter: () => undefined, clock, metrics, channel }),
    enterDestination: () => new Destinations({ clock }).enter(undefined),
    render: async () => ({ kind: 'ok', message: { type: 'sms', to: envelope.address, text: 'Hello' } }),
    canRender: () => true,
    admitRecipient: async () => true,
    giveUp: new AbortController().signal,
    policy: { tiers, maxAttempts: 3, onUnknown: setup.onUnknown ?? 'Retry' },
    idempotency: 'none',
    leaseMilliseconds: 25_000,
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics,
    channel,
  })
  const record = {
    topic: topics.main,
    partition: 0,
    offset: 7,
    key: 'k',
    timestamp: 0,
    ...encodeDelivery(envelope),
  }
  const work = readWork(record)
  if (work.kind !== 'delivery') throw new Error('no delivery')
  return { run: () => deliver(work, admission.enter()!, () => {}), told, produced }
}

const failed = (failure: Exclude<Outcome['class'], 'sent'>): Outcome => ({
  class: failure,
  detail: 'try later',
})

describe('what deliver tells', () => {
  it.each<[Setup, Partial<StatusChange>]>([
    [{}, { status: 'sent' }],
    [{ outcome: { class: 'sent', simulated: true } }, { status: 'simulated' }],
    [{ outcome: failed('rejected') }, { status: 'failed', reason: 'provider_rejected' }],
    [{ outcome: failed('rate_limited') }, { status: 'retrying', reason: 'throttled' }],
    [{ outcome: failed('poison') }, { status: 'dead_lettered', reason: 'poison' }],
    [{ outcome: failed('maybe_sent'), onUnknown: 'Hold' }, { status: 'unknown' }],
  ])('is the outcome, without the address: %o', async (setup, expected) => {
    const { run, told } = world(setup)
    await run()
    expect(told).toEqual([{ ...common, ...expected }])
  })

  it('holds no slot when the delivery has ended, and is what the record waits for', async () => {
    const telling = Promise.withResolvers<void>()
    const result = await world({ publish: () => telling.promise }).run()
    if (result.kind !== 'done') throw new Error('not done')
    let told = false
    const done = result.told!.then(() => (told = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toBe(false)
    telling.resolve()
    expect(await done).toBe(true)
  })

  it('comes before the record of the next attempt, which may else be over first', async () => {
    const away = () => Promise.reject(new Error('away'))
    const { run, produced } = world({ outcome: failed('not_sent'), publish: away })
    expect(await run()).toMatchObject({ kind: 'park' })
    expect(produced).toEqual([])
  })

  it('is told again when the record comes again', async () => {
    const { run, told } = world({ claim: { kind: 'settled', status: 'sent', reason: null, dueAt: null } })
    await run()
    expect(told).toEqual([{ ...common, status: 'sent' }])
  })

  it('is nothing while there is nothing new', async () => {
    const { run, told } = world({ claim: { kind: 'stale' } })
    await run()
    expect(told).toEqual([])
  })
})
