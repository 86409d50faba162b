import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EndHistory } from './end-history.ts'

describe('EndHistory', () => {
  it('tells when a record came, between the samples around it', () => {
    const history = new EndHistory()
    history.note('t/0', 100, 0)
    history.note('t/0', 200, 10_000)
    expect(history.age('t/0', 150, 12_000)).toBe(7_000)
    expect(history.age('t/0', 200, 12_000)).toBe(0)
    expect(history.age('t/0', 250, 12_000)).toBe(0)
    expect(history.age('other/0', 1, 12_000)).toBe(0)
  })

  it('does not take a quiet time for the age of the record that ended it', () => {
    const history = new EndHistory()
    for (let at = 0; at <= 3_600_000; at += 15_000) history.note('t/0', 10, at)
    history.note('t/0', 11, 3_615_000)
    expect(history.age('t/0', 10, 3_615_000)).toBe(15_000)
  })

  it('is a lower bound for what was there before the first look', () => {
    const history = new EndHistory()
    history.note('t/0', 500, 1_000)
    expect(history.age('t/0', 3, 61_000)).toBe(60_000)
  })

  it('forgets a log whose topic was made anew', () => {
    const history = new EndHistory()
    history.note('t/0', 500, 0)
    history.note('t/0', 2, 1_000)
    history.note('t/0', 4, 2_000)
    expect(history.age('t/0', 3, 2_000)).toBe(500)
  })

  it('is never further off than the time between two samples, however long it has run', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { minLength: 2, maxLength: 2_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (arrivals, share) => {
          const history = new EndHistory()
          const writtenAt: number[] = []
          arrivals.forEach((count, step) => {
            for (let record = 0; record < count; record++)
              writtenAt.push(step * 1_000 - 1_000 + (record / count) * 1_000)
            history.note('t/0', writtenAt.length, step * 1_000)
          })
          if (writtenAt.length === 0) return
          const now = (arrivals.length - 1) * 1_000
          const position = Math.floor(share * (writtenAt.length - 1))
          const off = Math.abs(history.age('t/0', position, now) - (now - writtenAt[position]!))
          // The further back, the coarser: an eighth of the history at the most, and one step at its fresh end.
          expect(off).toBeLessThanOrEqual(Math.max(1_000, arrivals.length * 1_000 * 0.25))
        },
      ),
    )
  })
})
