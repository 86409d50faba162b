import { expect, it } from 'vitest'
import { isApplied } from './applied.ts'

it.each([
  ['what the server added', { a: 1, defaulted: true }, { a: 1 }, true],
  ['another value', { a: 2 }, { a: 1 }, false],
  ['a field that is gone', {}, { a: 1 }, false],
  ['an empty map that is not there', {}, { a: {} }, true],
  ['an empty list that is not there', {}, { a: [] }, true],
  ['a field that the server added deep inside', { a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }, true],
  ['one item too many', { a: [1, 2] }, { a: [1] }, false],
  ['items in another order', { a: [2, 1] }, { a: [1, 2] }, false],
  ['a scalar where an object is wanted', { a: 'x' }, { a: { b: 1 } }, false],
])('%s', (_what, live, wanted, applied) => {
  expect(isApplied(live, wanted)).toBe(applied)
})
