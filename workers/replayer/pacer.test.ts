import { expect, it } from 'vitest'
import { createPacer } from './pacer.ts'

it('lets no more through than the rate, however the records come', () => {
  let now = 0
  const pacer = createPacer(50, { monotonic: () => now })
  let written = 0
  for (const count of [10, 1, 0, 50, 7, 200, 3]) {
    now += pacer.take(count)
    // What had gone before this moment is what the rate allows by then.
    expect(written).toBeLessThanOrEqual(Math.ceil((now / 1_000) * 50))
    written += count
  }
  expect(now).toBeCloseTo((268 / 50) * 1_000)
})

it('saves nothing up while there is nothing to do', () => {
  let now = 0
  const pacer = createPacer(10, { monotonic: () => now })
  expect(pacer.take(10)).toBe(0)
  now += 60_000
  expect(pacer.take(10)).toBe(0)
  expect(pacer.take(10)).toBe(1_000)
})
