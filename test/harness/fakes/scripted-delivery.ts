import { Registry } from 'prom-client'
import type { ConsumedRecord, RecordToProduce } from '../../../core/broker/broker.ts'
import { systemClock } from '../../../core/clock.ts'
import type { StatusChange } from '../../../core/events/delivery-event.ts'
import { type DeliveryEnvelope, encodeDelivery } from '../../../core/notification/envelope.ts'
import type { Reason } from '../../../core/notification/status.ts'
import { channelTopics } from '../../../core/notification/topics.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import type { Idempotency, Outcome } from '../../../core/providers/provider.ts'
import type { RecordToHold } from '../../../core/store/held-records.ts'
import { createDeliver } from '../../../workers/delivery/attempt/deliver.ts'
import { createFollowUps } from '../../../workers/delivery/attempt/follow-ups.ts'
import type { Rendered } from '../../../workers/delivery/attempt/render.ts'
import { createSend } from '../../../workers/delivery/attempt/send.ts'
import { createTell } from '../../../workers/delivery/attempt/tell.ts'
import { readWork } from '../../../workers/delivery/attempt/work.ts'
import { Admission } from '../../../workers/delivery/back-pressure/admission.ts'
import { type DestinationPass, Destinations } from '../../../workers/delivery/back-pressure/destinations.ts'
import { Lane } from '../../../workers/delivery/back-pressure/lane.ts'
import type { ClaimResult, FinishEntry, Finished } from '../../../workers/delivery/ledger/ledger.ts'
import { createDeliveryMetrics } from '../../../workers/delivery/metrics.ts'

/** What the clock of {@link scriptedDelivery} says: one second after {@link envelope} was accepted. */
export const now = Date.parse('2026-01-01T00:00:00Z')
export const topics = channelTopics('p', { namespace: 'shop', name: 'email' }, '', ['30s', '5m'])
const tiers = [
  { tier: '30s', milliseconds: 30_000 },
  { tier: '5m', milliseconds: 300_000 },
]
/** A mail to Ada, without a template. */
export const envelope: DeliveryEnvelope = {
  id: '00000000-0000-8000-8000-000000000001',
  notification_id: '00000000-0000-7000-8000-000000000001',
  notification: 'ntf_1',
  tenant: 'shop',
  channel: 'email',
  channel_type: 'email',
  recipient: 'email:ada@example.com',
  address: 'ada@example.com',
  content: { subject: 'Hi', text: 'Hello' },
  data: {},
  metadata: {},
  accepted_at: '2025-12-31T23:59:59.000Z',
}

/** The record of {@link envelope}, with what is changed. */
export function recordOf(
  change: Partial<DeliveryEnvelope> = {},
  headers: Record<string, string> = {},
): ConsumedRecord {
  const encoded = encodeDelivery({ ...envelope, ...change })
  return {
    topic: topics.main,
    partition: 0,
    offset: 7,
    key: 'k',
    timestamp: now,
    value: encoded.value,
    headers: { ...encoded.headers, ...headers },
  }
}

export interface Script {
  claim?: ClaimResult
  outcomes?: Outcome[]
  idempotency?: Idempotency
  onUnknown?: 'Retry' | 'Hold'
  rendered?: Rendered
  canRender?: boolean
  isCatalogCurrent?: boolean
  /** What recording fails with before it succeeds. */
  finishFailures?: Error[]
  /** How long claiming takes on the monotonic clock. */
  claimTakes?: number
  destination?: () => DestinationPass
  admitted?: boolean
  /** How long a claim waits for its slot on the wall clock, and what happens meanwhile: false when none becomes free. */
  slotTakes?: number
  slot?: () => boolean
  /** What recording comes to. */
  finished?: Finished
  /** Whether a delivery that is given up still waits for its retry. */
  givenUp?: boolean
  /** Is told of each record that is to be kept, before it is. */
  hold?: (record: RecordToHold) => Promise<void>
  /** How many other writes the brokers have acknowledged. */
  acknowledged?: () => number
  produce?: (records: readonly RecordToProduce[]) => Promise<void>
  publish?: () => Promise<void>
}

/** `deliver` among scripted answers: what was sent, recorded, written and told is what the tests look at. */
export function scriptedDelivery({
  claim = { kind: 'claimed', claim: 1, uncounted: 0 },
  outcomes = [{ class: 'sent' }],
  ...script
}: Script = {}) {
  const finished: FinishEntry[] = []
  const restored: string[] = []
  const givenUp: { id: string; reason: Reason }[] = []
  const produced: RecordToProduce[] = []
  const held: RecordToHold[] = []
  const sends: string[] = []
  const told: StatusChange[] = []
  let elapsed = 0
  let waited = 0
  const clock = { ...systemClock, now: () => now + waited, monotonic: () => elapsed }
  const channel = { namespace: 'shop', channel: 'email' }
  const metrics = createDeliveryMetrics(new Registry())
  const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
  const hold = async (record: RecordToHold) => {
    await script.hold?.(record)
    held.push(record)
  }
  const idempotency = script.idempotency ?? 'none'
  const providers = outcomes.map((outcome, index) => ({
    name: `provider-${index}`,
    timeout: 10_000,
    maxConcurrent: 8,
    idempotency,
    provider: { send: async () => (sends.push(`provider-${index}`), outcome), close: async () => {} },
  }))
  const admission = new Admission({
    lanes: providers.map((provider) => new Lane({ provider, clock, limiter: undefined })),
    clock,
    onOpening: () => {},
  })
  const deliver = createDeliver({
    ledger: {
      claim: async () => {
        elapsed += script.claimTakes ?? 0
        return claim
      },
      finish: async (entry) => {
        const failure = script.finishFailures?.shift()
        if (failure) throw failure
        finished.push(entry)
        return script.finished ?? 'recorded'
      },
      giveUp: async ({ id }, reason) => {
        givenUp.push({ id, reason })
        return script.givenUp ?? true
      },
      hold,
      restore: async ({ id }) => void restored.push(id),
    },
    followUps: createFollowUps({
      producer: {
        produce: async (records) => {
          await script.produce?.(records)
          produced.push(...records)
          return []
        },
        acknowledged: () => script.acknowledged?.() ?? 0,
      },
      hold,
      topics,
      tiers,
      clock,
      logger,
    }),
    admitRecipient: async () => script.admitted ?? true,
    tell: createTell({
      publish: async (change) => {
        told.push(change)
        await script.publish?.()
      },
    }),
    enterDestination: () => script.destination?.() ?? new Destinations({ clock }).enter(undefined),
    send: createSend({ enterAfter: (permit) => admission.enterAfter(permit), clock, metrics, channel }),
    render: async () =>
      script.rendered ?? {
        kind: 'ok',
        message: { type: 'email', to: envelope.address, subject: 'Hi', text: 'Hello' },
      },
    canRender: () => script.canRender ?? true,
    isCatalogCurrent: async () => script.isCatalogCurrent ?? true,
    giveUp: new AbortController().signal,
    policy: { tiers, maxAttempts: 3, onUnknown: script.onUnknown ?? 'Retry' },
    idempotency,
    leaseMilliseconds: 25_000,
    clock,
    logger,
    metrics,
    channel,
  })
  const run = (record = recordOf()) => {
    const work = readWork(record)
    if (work.kind === 'unknown_version') throw new Error('held by the worker')
    const permit = admission.enter()!
    const enter = async () => {
      waited += script.slotTakes ?? 0
      return (script.slot?.() ?? true) ? permit : undefined
    }
    return deliver(work, { enter, free: () => permit.release() }, false).finally(() => permit.release())
  }
  return { run, admission, finished, givenUp, held, restored, produced, sends, told }
}

/** An outcome of this class, with a code and a detail. */
export const failed = (failure: Exclude<Outcome['class'], 'sent'>): Outcome => ({
  class: failure,
  code: '451',
  detail: 'try later',
})
