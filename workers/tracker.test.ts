import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tracker } from './tracker.ts'

/** Rising offsets with gaps, and the same offsets in the order in which they finish. */
const history = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 200 })
  .map((gaps) => gaps.reduce<number[]>((offsets, gap) => [...offsets, (offsets.at(-1) ?? 100) + gap], []))
  .chain((offsets) => fc.record({ offsets: fc.constant(offsets), finished: fc.shuffledSubarray(offsets) }))

describe('Tracker', () => {
  it('never lets the watermark pass an unfinished record, and never lowers it', () => {
    fc.assert(
      fc.property(history, ({ offsets, finished }) => {
        const tracker = new Tracker()
        for (const offset of offsets) tracker.add(offset, 10)
        const open = new Set(offsets)
        let before = -1
        for (const offset of finished) {
          tracker.done(offset)
          open.delete(offset)
          const watermark = tracker.watermark ?? -1
          const first = offsets.find((candidate) => open.has(candidate))
          expect(watermark).toBeGreaterThanOrEqual(before)
          if (first !== undefined) expect(watermark).toBeLessThanOrEqual(first)
          before = watermark
        }
        expect(tracker.unfinished).toBe(open.size)
        expect(tracker.bytes).toBe(open.size * 10)
      }),
    )
  })

  it('reaches the end once everything is finished, across gaps and in any order', () => {
    fc.assert(
      fc.property(history, ({ offsets, finished }) => {
        const tracker = new Tracker()
        for (const offset of offsets) tracker.add(offset, 1)
        for (const offset of [...finished, ...offsets]) tracker.done(offset)
        expect(tracker.watermark).toBe(offsets.at(-1)! + 1)
        expect(tracker.span).toBe(0)
      }),
    )
  })

  it('refuses offsets that do not rise: they would come from another epoch', () => {
    const tracker = new Tracker()
    tracker.add(5, 1)
    expect(() => tracker.add(5, 1)).toThrow(RangeError)
  })
})
