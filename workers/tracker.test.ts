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

  it('is always just behind the finished records at the head, however receiving and finishing mix', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 5 }) }),
      // Which of the unfinished ones, counted from the oldest.
      fc.record({ finish: fc.nat(1_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const tracker = new Tracker()
        const records: { offset: number; done: boolean }[] = []
        for (const next of steps) {
          if ('add' in next) {
            const offset = (records.at(-1)?.offset ?? 100) + next.add
            records.push({ offset, done: false })
            tracker.add(offset, 3)
          } else {
            const open = records.filter(({ done }) => !done)
            const chosen = open[next.finish % open.length]
            if (chosen === undefined) continue
            chosen.done = true
            tracker.done(chosen.offset)
          }
          const first = records.findIndex(({ done }) => !done)
          const finished = first < 0 ? records.length : first
          expect(tracker.watermark).toBe(finished === 0 ? undefined : records[finished - 1]!.offset + 1)
          expect(tracker.span).toBe(records.length - finished)
          expect(tracker.bytes).toBe(3 * records.filter(({ done }) => !done).length)
        }
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
