import { expect, test } from 'vitest'
import { duration, parseDuration } from './duration.ts'

test.each([
  ['20ms', 20],
  ['30s', 30_000],
  ['5m', 300_000],
  ['72h', 259_200_000],
  ['1h30m', 5_400_000],
])('%s is %d ms', (text, expected) => {
  expect(parseDuration(duration.parse(text))).toBe(expected)
})

test.each(['', '30', 's', '1d', '-1s', '1.5h', '10 s', '1s;', '9'.repeat(20) + 's'])('refuses %j', (text) => {
  expect(duration.safeParse(text).success).toBe(false)
})
