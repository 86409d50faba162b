import { expect, it } from 'vitest'
import { Stagnation } from './stagnation.ts'

it('counts from the moment at which a position with work behind it stopped moving', () => {
  const stagnation = new Stagnation()
  expect(stagnation.note('g/t/0', 10, 5, 0)).toBe(0)
  expect(stagnation.note('g/t/0', 10, 6, 15_000)).toBe(15_000)
  expect(stagnation.note('g/other/0', 10, 6, 15_000)).toBe(0)
  expect(stagnation.note('g/t/0', 11, 6, 30_000)).toBe(0)
  expect(stagnation.note('g/t/0', 11, 6, 40_000)).toBe(10_000)
})

it('does not count while there is nothing to do', () => {
  const stagnation = new Stagnation()
  stagnation.note('g/t/0', 10, 0, 0)
  expect(stagnation.note('g/t/0', 10, 0, 3_600_000)).toBe(0)
  expect(stagnation.note('g/t/0', 10, 1, 3_601_000)).toBe(1_000)
})
