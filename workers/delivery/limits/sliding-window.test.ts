import fc from 'fast-check'
import { expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { SlidingWindow } from './sliding-window.ts'

const rates = fc.record({
  limit: fc.integer({ min: 1, max: 30 }),
  interval: fc.constantFrom(1_000, 60_000, 86_400_000),
})

it('lets no interval, wherever it begins, hold more than the limit', () => {
  fc.assert(
    fc.property(
      rates,
      fc.array(fc.double({ min: 0, max: 1.5, noNaN: true }), { maxLength: 200 }),
      ({ limit, interval }, gaps) => {
        const clock = manualClock()
        const window = new SlidingWindow({ interval, clock })
        const taken: number[] = []
        for (const gap of gaps) {
          clock.advance(gap * (interval / limit))
          if (window.wait(limit) > 0) continue
          window.add(1)
          taken.push(clock.monotonic())
        }
        for (const [index, at] of taken.entries()) {
          const until = taken[index + limit]
          if (until !== undefined) expect(until - at).toBeGreaterThanOrEqual(interval)
        }
      },
    ),
  )
})

it('lets a full limit through at once, says how long to wait, and loses 1/50 of the rate', () => {
  fc.assert(
    fc.property(rates, ({ limit, interval }) => {
      const clock = manualClock()
      const window = new SlidingWindow({ interval, clock })
      let taken = 0
      while (clock.monotonic() < interval * 10) {
        const wait = window.wait(limit)
        if (wait > 0) clock.advance(wait)
        else taken += (window.add(1), 1)
        expect(window.used).toBeLessThanOrEqual(limit)
      }
      expect(taken).toBeGreaterThanOrEqual(limit * 9)
      expect(taken).toBeLessThanOrEqual(limit * 10)
    }),
    { numRuns: 20 },
  )
})
