import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { ConsumedRecord, RecordToProduce } from '../../core/broker/broker.ts'
import { systemClock } from '../../core/clock.ts'
import { type DeliveryEnvelope, encodeDelivery, header } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import type { Idempotency, Outcome } from '../../core/providers/provider.ts'
import { Admission } from './admission.ts'
import { createDeliver, type Rendered } from './deliver.ts'
import { type DestinationPass, Destinations } from './destinations.ts'
import { createFollowUps } from './follow-ups.ts'
import { Lane } from './lane.ts'
import type { ClaimResult, FinishEntry } from './ledger.ts'
import { createDeliveryMetrics } from './metrics.ts'
import { createSend } from './send.ts'
import { readWork } from './work.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const topics = channelTopics('p', { namespace: 'shop', name: 'email' }, '', ['30s', '5m'])
const tiers = [
  { tier: '30s', milliseconds: 30_000 },
  { tier: '5m', milliseconds: 300_000 },
]
const envelope: DeliveryEnvelope = {
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

function recordOf(
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

interface Setup {
  claim?: ClaimResult
  outcomes?: Outcome[]
  idempotency?: Idempotency
  onUnknown?: 'Retry' | 'Hold'
  rendered?: Rendered
  canRender?: boolean
  /** What recording fails with before it succeeds. */
  finishFailures?: Error[]
  /** How long claiming takes on the monotonic clock. */
  claimTakes?: number
  destination?: DestinationPass
  admitted?: boolean
  produce?: () => Promise<void>
}

/** A delivery in a world of scripted answers: what was sent, recorded and written is what the tests look at. */
function world({
  claim = { kind: 'claimed', claim: 1, uncounted: 0 },
  outcomes = [{ class: 'sent' }],
  ...setup
}: Setup = {}) {
  const finished: FinishEntry[] = []
  const restored: string[] = []
  const produced: RecordToProduce[] = []
  const sends: string[] = []
  let elapsed = 0
  const clock = { ...systemClock, now: () => now, monotonic: () => elapsed }
  const channel = { namespace: 'shop', channel: 'email' }
  const metrics = createDeliveryMetrics(new Registry())
  const idempotency = setup.idempotency ?? 'none'
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
        elapsed += setup.claimTakes ?? 0
        return claim
      },
      finish: async (entry) => {
        const failure = setup.finishFailures?.shift()
        if (failure) throw failure
        finished.push(entry)
        return true
      },
      restore: async ({ id }) => void restored.push(id),
    },
    followUps: createFollowUps({
      producer: {
        produce: async (records) => {
          await setup.produce?.()
          produced.push(...records)
          return []
        },
      },
      topics,
      tiers,
      clock,
    }),
    admitRecipient: async () => setup.admitted ?? true,
    tell: async () => {},
    enterDestination: () => setup.destination ?? new Destinations({ clock }).enter(undefined),
    send: createSend({ enterAfter: (permit) => admission.enterAfter(permit), clock, metrics, channel }),
    render: async () =>
      setup.rendered ?? {
        kind: 'ok',
        message: { type: 'email', to: envelope.address, subject: 'Hi', text: 'Hello' },
      },
    canRender: () => setup.canRender ?? true,
    giveUp: new AbortController().signal,
    policy: { tiers, maxAttempts: 3, onUnknown: setup.onUnknown ?? 'Retry' },
    idempotency,
    leaseMilliseconds: 25_000,
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics,
    channel,
  })
  const run = (record = recordOf()) => {
    const work = readWork(record)
    if (work.kind === 'unknown_version') throw new Error('held by the worker')
    return deliver(work, admission.enter()!, () => {})
  }
  return { run, admission, finished, restored, produced, sends }
}

const interrupted = { kind: 'claimed', claim: 2, uncounted: 0 } as const
const failed = (failure: Exclude<Outcome['class'], 'sent'>): Outcome => ({
  class: failure,
  code: '451',
  detail: 'try later',
})

describe('deliver', () => {
  it('sends and records what was sent', async () => {
    const { run, finished, produced } = world({ outcomes: [{ class: 'sent', providerMessageId: 'm-1' }] })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(finished).toMatchObject([
      { status: 'sent', reason: null, provider: 'provider-0', providerMessageId: 'm-1', outcome: 'sent' },
    ])
    expect(produced).toEqual([])
  })

  it('writes the next attempt to the tier, due when the tier says, with everything a reader needs', async () => {
    const { run, finished, produced } = world({ outcomes: [failed('not_sent')] })
    await run(recordOf({}, { traceparent: '00-trace' }))
    expect(finished).toMatchObject([
      {
        status: 'retrying',
        outcome: 'not_sent',
        code: '451',
        detail: 'try later',
        dueAt: new Date(now + 30_000),
      },
    ])
    expect(produced).toMatchObject([{ topic: `${topics.main}.retry.30s`, key: 'k', value: recordOf().value }])
    expect(produced[0]!.headers).toMatchObject({
      [header.attempt]: '2',
      [header.due]: String(now + 30_000),
      [header.origin]: `${topics.main}/0/7`,
      traceparent: '00-trace',
    })
  })

  it('dead-letters after the last attempt, and what nobody can read', async () => {
    const exhausted = world({ outcomes: [failed('not_sent')] })
    await exhausted.run(recordOf({}, { [header.attempt]: '3' }))
    expect(exhausted.finished).toMatchObject([{ status: 'dead_lettered', reason: 'retries_exhausted' }])
    expect(exhausted.produced).toMatchObject([
      { topic: topics.deadLetters, headers: { [header.reason]: 'retries_exhausted' } },
    ])
    const garbage = world()
    const bytes = Buffer.from([0xff, 0x00])
    await garbage.run({ ...recordOf(), value: bytes })
    expect(garbage.sends).toEqual([])
    expect(garbage.produced).toMatchObject([
      { topic: topics.deadLetters, value: bytes, headers: { [header.reason]: 'poison' } },
    ])
  })

  it('asks the next provider only when the one before certainly did not send', async () => {
    const over = world({ outcomes: [failed('not_sent'), failed('auth'), { class: 'sent' }] })
    await over.run()
    expect(over.sends).toEqual(['provider-0', 'provider-1', 'provider-2'])
    expect(over.finished).toMatchObject([{ status: 'sent', provider: 'provider-2' }])
    for (const failure of ['maybe_sent', 'rejected'] as const) {
      const { run, sends } = world({ outcomes: [failed(failure), { class: 'sent' }] })
      await run()
      expect(sends).toEqual(['provider-0'])
    }
  })

  it('sends nothing for what the ledger does not give it', async () => {
    const stale = world({ claim: { kind: 'stale' } })
    expect(await stale.run()).toMatchObject({ kind: 'done' })
    const busy = world({ claim: { kind: 'busy', milliseconds: 800 } })
    expect(await busy.run()).toEqual({ kind: 'park', milliseconds: 800 })
    expect([...stale.sends, ...busy.sends]).toEqual([])
  })

  it('writes the row of a delivery again that the store lost', async () => {
    const { run, restored, sends } = world({ claim: { kind: 'missing' } })
    expect(await run()).toEqual({ kind: 'park', milliseconds: 0 })
    expect(restored).toEqual([envelope.id])
    expect(sends).toEqual([])
  })

  it('does not send again because the store was slow or read-only when the outcome came', async () => {
    const failover = Object.assign(new Error('cannot execute UPDATE in a read-only transaction'), {
      code: '25006',
    })
    const { run, sends, finished } = world({ finishFailures: [failover] })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(sends).toHaveLength(1)
    expect(finished).toMatchObject([{ status: 'sent' }])
  })

  it('records what was sent even when the store refuses the words of the provider', async () => {
    const refused = Object.assign(new Error('invalid byte sequence'), { code: '22021' })
    const { run, finished } = world({
      outcomes: [{ class: 'sent', providerMessageId: 'bad' }],
      finishFailures: [refused],
    })
    await run()
    expect(finished).toMatchObject([{ status: 'sent', providerMessageId: null }])
  })

  it('writes again what had to follow an outcome that is already recorded', async () => {
    const retry = world({
      claim: { kind: 'settled', status: 'retrying', reason: null, dueAt: new Date(now + 200_000) },
    })
    expect(await retry.run()).toMatchObject({ kind: 'done' })
    expect(retry.sends).toEqual([])
    expect(retry.produced).toMatchObject([
      {
        topic: `${topics.main}.retry.5m`,
        headers: { [header.attempt]: '2', [header.due]: String(now + 200_000) },
      },
    ])
    const dead = world({ claim: { kind: 'settled', status: 'dead_lettered', reason: 'poison', dueAt: null } })
    await dead.run()
    expect(dead.produced).toMatchObject([{ topic: topics.deadLetters }])
  })

  it('is not done before the retry record is acknowledged', async () => {
    const { run } = world({
      outcomes: [failed('not_sent')],
      produce: () => Promise.reject(new Error('broker away')),
    })
    expect(await run()).toMatchObject({ kind: 'park' })
  })

  it('holds an interrupted delivery when told so, and repeats it otherwise or when the vendor can tell', async () => {
    const hold = world({ claim: interrupted, onUnknown: 'Hold' })
    await hold.run()
    expect(hold.sends).toEqual([])
    expect(hold.finished).toMatchObject([{ status: 'unknown' }])
    for (const setup of [{ onUnknown: 'Retry' }, { onUnknown: 'Hold', idempotency: 'key' }] as const) {
      const { run, sends } = world({ claim: interrupted, ...setup })
      await run()
      expect(sends).toHaveLength(1)
    }
  })

  it('gives up on a record whose claims end without an outcome', async () => {
    const { run, sends, finished } = world({ claim: { kind: 'claimed', claim: 4, uncounted: 0 } })
    await run()
    expect(sends).toEqual([])
    expect(finished).toMatchObject([{ status: 'dead_lettered', reason: 'poison' }])
  })

  it('sends nothing when its lease no longer covers the call', async () => {
    const { run, sends, finished } = world({ claimTakes: 16_000, onUnknown: 'Hold' })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(sends).toEqual([])
    expect(finished).toMatchObject([{ status: 'retrying', outcome: 'not_sent', code: 'lease_too_short' }])
  })

  it('ends what came too late or cannot be rendered, without asking a provider', async () => {
    const late = world()
    await late.run(recordOf({ expires_at: '2026-01-01T00:00:00.000Z' }))
    expect(late.finished).toMatchObject([{ status: 'expired', reason: 'expired' }])
    const interrupted = world({ claim: { kind: 'claimed', claim: 2, uncounted: 0 } })
    await interrupted.run(recordOf({ expires_at: '2026-01-01T00:00:00.000Z' }))
    expect(interrupted.finished).toMatchObject([{ status: 'unknown', reason: 'expired' }])
    const broken = world({ rendered: { kind: 'invalid', detail: 'email.subject: undefined variable' } })
    await broken.run()
    expect(broken.finished).toMatchObject([
      { status: 'failed', reason: 'template_invalid', detail: 'email.subject: undefined variable' },
    ])
    expect([...late.sends, ...interrupted.sends, ...broken.sends]).toEqual([])
  })

  it.each([
    ['not_sent', '2026-01-01T00:00:30.000Z', 'expired', 'expired'],
    ['maybe_sent', '2026-01-01T00:00:30.000Z', 'unknown', 'expired'],
    ['not_sent', '2026-01-01T00:00:30.001Z', 'retrying', null],
  ] as const)(
    'puts off what was %s and expires at %s only if there is time: %s',
    async (failure, at, status, reason) => {
      const { run, finished, produced } = world({ outcomes: [failed(failure)] })
      expect(await run(recordOf({ expires_at: at }))).toMatchObject({ kind: 'done' })
      expect(finished).toMatchObject([{ status, reason, outcome: failure }])
      expect(produced).toHaveLength(status === 'retrying' ? 1 : 0)
    },
  )

  it('waits for a template that is on its way, but not for one that is gone', async () => {
    const rendered = { kind: 'invalid', detail: 'the template is gone' } as const
    const early = world({ canRender: false, rendered })
    expect(await early.run()).toMatchObject({ kind: 'park' })
    expect(early.finished).toEqual([])
    const late = world({ canRender: false, rendered })
    await late.run(recordOf({ accepted_at: '2025-12-31T23:58:59.000Z' }))
    expect(late.finished).toMatchObject([{ status: 'failed', reason: 'template_invalid' }])
  })

  it('claims nothing while too much waits to be rendered', async () => {
    const busy = world({ rendered: { kind: 'busy' }, claim: { kind: 'missing' } })
    expect(await busy.run()).toMatchObject({ kind: 'park' })
    // What is missing would have been restored after a claim.
    expect([busy.restored, busy.finished, busy.sends]).toEqual([[], [], []])
  })

  it('leaves a record of a newer version alone', () => {
    expect(readWork(recordOf({}, { [header.version]: '2' }))).toEqual({
      kind: 'unknown_version',
      version: '2',
    })
  })

  it('gives its claim back after a short wait that a provider asks for, and sends nothing on', async () => {
    const { run, finished, produced } = world({
      outcomes: [{ class: 'rate_limited', code: '429', detail: '', retryAfter: 2_000 }],
    })
    expect(await run()).toEqual({ kind: 'park', milliseconds: 2_000 })
    expect(finished).toMatchObject([{ status: 'queued', reason: 'throttled', uncounted: false }])
    expect(produced).toEqual([])
  })

  it('sends nothing that was cancelled under a claim that was lost, and does not claim to know what became of it', async () => {
    const { run, sends, finished } = world({ claim: { ...interrupted, cancelled: true }, idempotency: 'key' })
    await run()
    expect([sends, finished]).toMatchObject([[], [{ status: 'unknown', outcome: null }]])
  })

  it('leaves a destination alone: for a short time by waiting, for a long one by a retry that is not counted', async () => {
    const held = (heldFor: number, outFor = 0) => ({
      heldFor,
      outFor,
      settle: () => ({ blame: 'delivery' as const, openFor: 0, outFor: 0 }),
      release: () => {},
    })
    const short = world({ destination: held(2_000) })
    expect(await short.run()).toEqual({ kind: 'park', milliseconds: 2_000 })
    expect(short.finished).toEqual([])
    const long = world({ destination: held(60_000) })
    expect(await long.run()).toMatchObject({ kind: 'done' })
    expect(long.finished).toMatchObject([{ status: 'retrying', uncounted: true, outcome: null }])
    expect(long.produced).toMatchObject([{ topic: topics.retries[1]!.topic }])
    const lasting = world({ destination: held(2_000, 10_000) })
    expect((await lasting.run()).kind).toBe('done')
    expect([...short.sends, ...long.sends, ...lasting.sends]).toEqual([])
  })

  it('skips what is above the limit of its recipient on the first attempt only, and gives its permit back', async () => {
    const { run, finished, sends, admission } = world({ admitted: false })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(finished).toMatchObject([{ status: 'skipped', reason: 'throttled' }])
    for (let index = 0; index < 50; index++) await run()
    expect(admission.canEnter()).toBe(true)
    await run(recordOf({}, { [header.attempt]: '2' }))
    expect(sends).toEqual(['provider-0'])
  })
})
