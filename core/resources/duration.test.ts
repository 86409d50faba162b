import fc from 'fast-check'
import { expect, test } from 'vitest'
import { duration, parseDuration } from './duration.ts'

test.each([
  ['0s', 0],
  ['20ms', 20],
  ['30s', 30_000],
  ['5m', 300_000],
  ['72h', 259_200_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['0.4ms', 0],
])('%s is %d ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected)
})

test.each([
  '',
  '30',
  's',
  '1d',
  '-1s',
  '+1s',
  '.5h',
  '1.h',
  '1,5h',
  '10 s',
  '1s;',
  '1S',
  'PT5M',
  ' 1s',
  '1s\n',
])('refuses %j', (text) => {
  expect(() => parseDuration(text)).toThrow(RangeError)
  expect(duration('0s', '999999h').safeParse(text).success).toBe(false)
})

const unit = fc.constantFrom(
  ['ms', 1] as const,
  ['s', 1000] as const,
  ['m', 60_000] as const,
  ['h', 3_600_000] as const,
)
const part = fc.tuple(fc.nat(1_000_000), unit)

test('is the sum of its parts, in any order', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const text = parts.map(([amount, [name]]) => `${amount}${name}`).join('')
      const sum = parts.reduce((total, [amount, [, milliseconds]]) => total + amount * milliseconds, 0)
      expect(parseDuration(text)).toBe(sum)
    }),
  )
})

test('never reads a text that Go would not', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 8, unit: fc.constantFrom('1', '0', '.', 's', 'm', 'h', '-', ' ') }),
      (text) => {
        const go = /^(\d+(\.\d+)?(h|m|s|ms))+$/.test(text)
        expect(duration('0s', '999999h').safeParse(text).success).toBe(go)
      },
    ),
  )
})

test('a field holds its bounds, both included, and says them', () => {
  const field = duration('1s', '5m')
  expect(field.safeParse('1s').success).toBe(true)
  expect(field.safeParse('300s').success).toBe(true)
  expect(field.safeParse('999ms').success).toBe(false)
  expect(field.safeParse('5m1ms').error?.issues[0]?.message).toBe('must be a duration from 1s to 5m')
})
