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
  ['a text without anything in it that is not there', { a: [{ b: 1 }] }, { a: [{ b: 1, c: '' }] }, true],
  ['a text that should be empty', { a: 'x' }, { a: '' }, false],
  ['a quantity in another writing', { limits: { cpu: '100m' } }, { limits: { cpu: 0.1 } }, true],
  ['another quantity', { requests: { memory: '1Gi' } }, { requests: { memory: '1Mi' } }, false],
  [
    'what looks like a quantity and is none',
    { labels: { limits: '1k' } },
    { labels: { limits: '1000' } },
    false,
  ],
  ['quantities that are not there', {}, { limits: { cpu: '1' } }, false],
])('%s', (_what, live, wanted, applied) => {
  expect(isApplied(live, wanted)).toBe(applied)
})
