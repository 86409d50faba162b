import { describe, expect, test } from 'vitest'
import { outcomeFromHttp, parseRetryAfter } from './http-outcome.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

describe('parseRetryAfter', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['99999999999', 86_400_000],
    ['Fri, 01 Jan 2100 00:00:00 GMT', 86_400_000],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (text, expected) => expect(parseRetryAfter(text, now)).toBe(expected))
})

test('a wait is reported only where the message may be sent again', () => {
  const waits = [429, 503, 500, 400].map((status) => {
    const outcome = outcomeFromHttp({ phase: 'answered', status, retryAfter: '7' }, now)
    return 'retryAfter' in outcome ? outcome.retryAfter : undefined
  })
  expect(waits).toEqual([7000, 7000, undefined, undefined])
})
