import { expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { RunawayBreaker } from './breaker.ts'

function world() {
  const clock = manualClock()
  const breaker = new RunawayBreaker(clock)
  const fail = (times: number, key = 'a') => {
    for (let count = 0; count < times; count++) breaker.ended(key, false)
  }
  return { clock, breaker, fail }
}

it('puts off after five in a row, and nothing else', () => {
  const { breaker, fail } = world()
  fail(4)
  expect(breaker.enter('a').kind).toBe('try')
  fail(1)
  expect(breaker.enter('a')).toEqual({ kind: 'later', milliseconds: 30_000 })
  expect(breaker.enter('b').kind).toBe('try')
})

it('does not count what was well in between', () => {
  const { breaker, fail } = world()
  fail(4)
  breaker.ended('a', true)
  fail(4)
  expect(breaker.enter('a').kind).toBe('try')
})

it('tries one after a while; the others wait for it, and pass when it ends well', () => {
  const { clock, breaker, fail } = world()
  fail(5)
  clock.advance(29_999)
  expect(breaker.enter('a')).toEqual({ kind: 'later', milliseconds: 1 })
  clock.advance(1)
  expect([breaker.enter('a').kind, breaker.enter('a').kind]).toEqual(['try', 'wait'])
  breaker.ended('a', true)
  expect([breaker.enter('a').kind, breaker.enter('a').kind]).toEqual(['try', 'try'])
})

it('puts off for longer after each trial that fails, up to ten minutes', () => {
  const { clock, breaker, fail } = world()
  fail(5)
  for (const wait of [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]) {
    clock.advance(wait - 1)
    expect(breaker.enter('a')).toEqual({ kind: 'later', milliseconds: 1 })
    clock.advance(1)
    expect(breaker.enter('a').kind).toBe('try')
    fail(1)
  }
})

it('tries another when nothing came of a trial', () => {
  const { clock, breaker, fail } = world()
  fail(5)
  clock.advance(30_000)
  expect(breaker.enter('a').kind).toBe('try')
  breaker.unknown('a')
  expect(breaker.enter('a').kind).toBe('try')
})

it('remembers a thousand, those that failed last', () => {
  const { breaker, fail } = world()
  for (let count = 0; count <= 1_000; count++) fail(5, String(count))
  expect(breaker.enter('0').kind).toBe('try')
  expect(breaker.enter('1').kind).toBe('later')
  expect(breaker.enter('1000').kind).toBe('later')
})
