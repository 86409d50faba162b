import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failureClasses } from '../../../core/notification/failure.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import { type AttemptState, decide, type RetryPolicy } from './decide.ts'

const policy: RetryPolicy = {
  tiers: [
    { tier: '30s', milliseconds: 30_000 },
    { tier: '5m', milliseconds: 300_000 },
    { tier: '1h', milliseconds: 3_600_000 },
  ],
  maxAttempts: 5,
  onUnknown: 'Retry',
}
const first: AttemptState = { attempt: 1, uncounted: 0, idempotency: 'none', circuit: undefined }
const failed = (failure: (typeof failureClasses)[number], retryAfter?: number): Outcome => ({
  class: failure,
  detail: '',
  ...(retryAfter !== undefined && { retryAfter }),
})

describe('G3: decide', () => {
  it('ends what was sent, refused or unusable', () => {
    expect(decide({ class: 'sent' }, policy, first)).toEqual({ next: 'end', status: 'sent', reason: null })
    expect(decide({ class: 'sent', simulated: true }, policy, first)).toMatchObject({ status: 'simulated' })
    expect(decide(failed('rejected'), policy, first)).toEqual({
      next: 'end',
      status: 'failed',
      reason: 'provider_rejected',
    })
    expect(decide(failed('poison'), policy, first)).toEqual({ next: 'dead_letter', reason: 'poison' })
  })

  it('walks up the tiers with each counted attempt and stays on the last', () => {
    const tiers = [1, 2, 3, 4].map((attempt) => decide(failed('not_sent'), policy, { ...first, attempt }))
    expect(tiers.map((decision) => decision.next === 'retry' && decision.tier)).toEqual([
      '30s',
      '5m',
      '1h',
      '1h',
    ])
    expect(decide(failed('not_sent'), policy, { ...first, attempt: 5 })).toEqual({
      next: 'dead_letter',
      reason: 'retries_exhausted',
    })
  })

  it('does not spend attempts on a rate limit or refused credentials', () => {
    for (const failure of ['rate_limited', 'auth'] as const) {
      const decision = decide(failed(failure), policy, { ...first, attempt: 100, uncounted: 99 })
      expect(decision).toMatchObject({ next: 'retry', uncounted: true })
    }
  })

  it('backs off also when no attempt is spent', () => {
    const tiers = [1, 2, 3, 4].map((attempt) =>
      decide(failed('auth'), policy, { ...first, attempt, uncounted: attempt - 1 }),
    )
    expect(tiers.map((decision) => decision.next === 'retry' && decision.tier)).toEqual([
      '30s',
      '5m',
      '1h',
      '1h',
    ])
  })

  it('waits at least as long as the vendor asks, as far as the tiers reach', () => {
    expect(decide(failed('rate_limited', 60_000), policy, first)).toMatchObject({ tier: '5m' })
    expect(decide(failed('not_sent', 9_000_000), policy, first)).toMatchObject({ tier: '1h' })
  })

  it('holds an unknown outcome only when told to and when the vendor cannot tell a repeat', () => {
    const hold: RetryPolicy = { ...policy, onUnknown: 'Hold' }
    expect(decide(failed('maybe_sent'), hold, first)).toEqual({
      next: 'end',
      status: 'unknown',
      reason: null,
    })
    expect(decide(failed('maybe_sent'), hold, { ...first, idempotency: 'key' })).toMatchObject({
      next: 'retry',
    })
    expect(decide(failed('maybe_sent'), policy, first)).toMatchObject({ next: 'retry' })
  })

  it('gives back what an outage of the provider is to blame for, and what may be repeated after a short wait', () => {
    const outage = {
      ...first,
      circuit: { blame: 'outage', openFor: 30_000, outFor: 0, of: 'provider' },
    } as const
    expect(decide(failed('not_sent'), policy, outage)).toEqual({
      next: 'release',
      milliseconds: 1_000,
      reason: null,
    })
    expect(decide(failed('maybe_sent'), policy, outage)).toMatchObject({ next: 'retry', uncounted: true })
    const opened = { ...first, circuit: { ...outage.circuit, blame: 'delivery' } } as const
    expect(decide(failed('not_sent'), policy, opened)).toMatchObject({ next: 'retry', uncounted: false })
    expect(decide(failed('auth'), policy, opened)).toMatchObject({ next: 'release', reason: 'provider_auth' })
    expect(decide(failed('rate_limited', 5_000), policy, first)).toEqual({
      next: 'release',
      milliseconds: 5_000,
      reason: 'throttled',
    })
    expect(decide(failed('rate_limited', 5_001), policy, first)).toMatchObject({ next: 'retry', tier: '30s' })
  })

  it('defers what is for a destination that is left alone to the tier that covers the wait', () => {
    const held = (openFor: number): AttemptState => ({
      ...first,
      circuit: { blame: 'outage', openFor, outFor: 0, of: 'destination' },
    })
    expect(decide(failed('not_sent'), policy, held(4_000))).toMatchObject({ next: 'release' })
    expect(decide(failed('not_sent'), policy, held(200_000))).toMatchObject({
      next: 'retry',
      tier: '5m',
      uncounted: true,
    })
  })

  it('holds a record for a destination for a short time only, however often it asks for one', () => {
    const asks = (outFor: number, of: 'provider' | 'destination') =>
      decide(failed('rate_limited', 2_000), policy, {
        ...first,
        circuit: { blame: 'delivery', openFor: 2_000, outFor, of },
      })
    expect(asks(9_999, 'destination')).toMatchObject({ next: 'release' })
    expect(decide(failed('rate_limited', 0), policy, first)).toMatchObject({ next: 'retry', tier: '30s' })
    expect(asks(10_000, 'destination')).toMatchObject({ next: 'retry', tier: '30s', uncounted: true })
    // For a provider all of the channel waits, not only what is behind this record.
    expect(asks(60_000, 'provider')).toMatchObject({ next: 'release' })
  })

  it('comes to an end: never more counted attempts than allowed, and no retry without a tier', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...failureClasses),
        fc.nat(50),
        fc.nat(50),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 20 }),
        (failure, counted, uncounted, tiers, maxAttempts) => {
          const some = { ...policy, tiers: policy.tiers.slice(0, tiers), maxAttempts }
          const decision = decide(failed(failure), some, {
            attempt: counted + uncounted + 1,
            uncounted,
            idempotency: 'none',
            circuit: undefined,
          })
          if (decision.next !== 'retry') return
          expect(some.tiers.map(({ tier }) => tier)).toContain(decision.tier)
          if (!decision.uncounted) expect(counted + 1).toBeLessThan(maxAttempts)
        },
      ),
    )
  })
})
