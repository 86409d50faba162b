import { expect, it } from 'vitest'
import { isSameQuantity } from './quantity.ts'

// What the API server makes of quantities test/operator/runtime.test.ts asks it itself.
it.each<[unknown, unknown, boolean]>([
  ['0.1', '100m', true],
  [1, '1', true],
  ['1024Mi', '1Gi', true],
  ['1e3', '1k', true],
  ['1500e-3', '1.5', true],
  ['0.0001', '1m', true],
  ['0', '0.00', true],
  ['1M', '1Mi', false],
  ['1m', '1M', false],
  ['1E', '1e18', true],
  ['100m', '101m', false],
  ['100m', undefined, false],
  ['much', 'much', true],
  ['much', 'more', false],
  ['', '0', false],
  ['1e999999999', '1', false],
])('%s and %s', (left, right, same) => {
  expect(isSameQuantity(left, right)).toBe(same)
  expect(isSameQuantity(right, left)).toBe(same)
})
