import fc from 'fast-check'
import { expect, it } from 'vitest'
import { failureClasses } from '../../../core/notification/failure.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import { endInTime } from './deadline.ts'
import { type AttemptState, decide, type RetryPolicy } from './decide.ts'

const minute = 60_000
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    class: fc.constantFrom(...failureClasses),
    detail: fc.constant(''),
    retryAfter: fc.option(fc.nat(600 * minute), { nil: undefined }),
  }) as fc.Arbitrary<Outcome>,
  fc.constant<Outcome>({ class: 'sent' }),
)
const tiers = fc
  .uniqueArray(fc.integer({ min: 1_000, max: 60 * minute }), { minLength: 1, maxLength: 6 })
  .map((delays) =>
    delays
      .toSorted((left, right) => left - right)
      .map((milliseconds) => ({ tier: `${milliseconds}ms`, milliseconds })),
  )

it('lets every delivery end in time, whatever its provider answers, and retries nothing after its deadline', () => {
  fc.assert(
    fc.property(
      tiers,
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('Retry', 'Hold'),
      fc.integer({ min: minute, max: 180 * minute }),
      fc.infiniteStream(outcome),
      (retryTiers, maxAttempts, onUnknown, expiresAfter, outcomes) => {
        const policy: RetryPolicy = { tiers: retryTiers, maxAttempts, onUnknown }
        const state: AttemptState = { attempt: 1, uncounted: 0, idempotency: 'none', circuit: undefined }
        let now = 0
        let counted = 0
        // A worker that finds a delivery expired does not ask a provider.
        while (now < expiresAfter) {
          const next = outcomes.next().value as Outcome
          const decision = endInTime(decide(next, policy, state), next, expiresAfter - now)
          if (decision.next === 'end' || decision.next === 'dead_letter') {
            if (decision.reason === 'expired')
              expect(decision).toMatchObject({ status: next.class === 'maybe_sent' ? 'unknown' : 'expired' })
            return
          }
          expect(decision.milliseconds).toBeGreaterThan(0)
          now += decision.milliseconds
          if (decision.next === 'release') continue
          expect(now).toBeLessThan(expiresAfter)
          state.attempt++
          if (decision.uncounted) state.uncounted++
          else expect(++counted).toBeLessThan(maxAttempts)
        }
      },
    ),
  )
})
