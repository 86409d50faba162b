import { describe, expect, it } from 'vitest'
import { header } from '../../../core/notification/envelope.ts'
import {
  failed,
  now,
  recordOf,
  scriptedDelivery,
  topics,
} from '../../../test/harness/fakes/scripted-delivery.ts'

describe('deliver', () => {
  it('sends and records what was sent', async () => {
    const { run, finished, produced } = scriptedDelivery({
      outcomes: [{ class: 'sent', providerMessageId: 'm-1' }],
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(finished).toMatchObject([
      { status: 'sent', reason: null, provider: 'provider-0', providerMessageId: 'm-1', outcome: 'sent' },
    ])
    expect(produced).toEqual([])
  })

  it('writes the next attempt to the tier, due when the tier says, with everything a reader needs', async () => {
    const { run, finished, produced } = scriptedDelivery({ outcomes: [failed('not_sent')] })
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
    const exhausted = scriptedDelivery({ outcomes: [failed('not_sent')] })
    await exhausted.run(recordOf({}, { [header.attempt]: '3' }))
    expect(exhausted.finished).toMatchObject([{ status: 'dead_lettered', reason: 'retries_exhausted' }])
    expect(exhausted.produced).toMatchObject([
      { topic: topics.deadLetters, headers: { [header.reason]: 'retries_exhausted' } },
    ])
    const garbage = scriptedDelivery()
    const bytes = Buffer.from([0xff, 0x00])
    await garbage.run({ ...recordOf(), value: bytes })
    expect(garbage.sends).toEqual([])
    expect(garbage.produced).toMatchObject([
      { topic: topics.deadLetters, value: bytes, headers: { [header.reason]: 'poison' } },
    ])
  })

  it('asks the next provider only when the one before certainly did not send', async () => {
    const over = scriptedDelivery({ outcomes: [failed('not_sent'), failed('auth'), { class: 'sent' }] })
    await over.run()
    expect(over.sends).toEqual(['provider-0', 'provider-1', 'provider-2'])
    expect(over.finished).toMatchObject([{ status: 'sent', provider: 'provider-2' }])
    for (const failure of ['maybe_sent', 'rejected'] as const) {
      const { run, sends } = scriptedDelivery({ outcomes: [failed(failure), { class: 'sent' }] })
      await run()
      expect(sends).toEqual(['provider-0'])
    }
  })

  it('does not send again because the store was slow or read-only when the outcome came', async () => {
    const failover = Object.assign(new Error('cannot execute UPDATE in a read-only transaction'), {
      code: '25006',
    })
    const { run, sends, finished } = scriptedDelivery({ finishFailures: [failover] })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(sends).toHaveLength(1)
    expect(finished).toMatchObject([{ status: 'sent' }])
  })

  it('records what was sent even when the store refuses the words of the provider', async () => {
    const refused = Object.assign(new Error('invalid byte sequence'), { code: '22021' })
    const { run, finished } = scriptedDelivery({
      outcomes: [{ class: 'sent', providerMessageId: 'bad' }],
      finishFailures: [refused],
    })
    await run()
    expect(finished).toMatchObject([{ status: 'sent', providerMessageId: null }])
  })

  it('is not done before the retry record is acknowledged', async () => {
    const { run } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: () => Promise.reject(new Error('broker away')),
    })
    expect(await run()).toMatchObject({ kind: 'park' })
  })

  it.each([
    ['not_sent', '2026-01-01T00:00:30.000Z', 'expired', 'expired'],
    ['maybe_sent', '2026-01-01T00:00:30.000Z', 'unknown', 'expired'],
    ['not_sent', '2026-01-01T00:00:30.001Z', 'retrying', null],
  ] as const)(
    'puts off what was %s and expires at %s only if there is time: %s',
    async (failure, at, status, reason) => {
      const { run, finished, produced } = scriptedDelivery({ outcomes: [failed(failure)] })
      expect(await run(recordOf({ expires_at: at }))).toMatchObject({ kind: 'done' })
      expect(finished).toMatchObject([{ status, reason, outcome: failure }])
      expect(produced).toHaveLength(status === 'retrying' ? 1 : 0)
    },
  )

  it('gives its claim back after a short wait that a provider asks for, and sends nothing on', async () => {
    const { run, finished, produced } = scriptedDelivery({
      outcomes: [{ class: 'rate_limited', code: '429', detail: '', retryAfter: 2_000 }],
    })
    expect(await run()).toEqual({ kind: 'park', milliseconds: 2_000 })
    expect(finished).toMatchObject([{ status: 'queued', reason: 'throttled', uncounted: false }])
    expect(produced).toEqual([])
  })
})
