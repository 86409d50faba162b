import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { Workqueue } from './workqueue.ts'

const metrics = { added() {}, taken() {}, done() {}, retried() {} }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function newQueue(): Workqueue {
  return new Workqueue({ firstBackoff: 100, longestBackoff: 1_000, clock: systemClock, metrics })
}

describe('Workqueue', () => {
  it('hands out a key once, however often it was added', async () => {
    const queue = newQueue()
    for (const key of ['a', 'a', 'b', 'a']) queue.add(key)
    expect([await queue.take(), await queue.take()]).toEqual(['a', 'b'])
    expect(queue.depth).toBe(0)
  })

  it('never hands a key to a second worker, and hands it out again when it was added meanwhile', async () => {
    const queue = newQueue()
    queue.add('a')
    await queue.take()
    queue.add('a')
    queue.add('a')
    const next = queue.take()
    queue.add('b')
    expect(await next).toBe('b')
    queue.done('a')
    expect(await queue.take()).toBe('a')
    queue.done('a')
    expect(queue.depth).toBe(0)
  })

  it('makes a failing key wait twice as long each time, up to a bound, until it is forgotten', async () => {
    const queue = newQueue()
    const waits: number[] = []
    for (let failure = 0; failure < 6; failure++) {
      const begun = performance.now()
      queue.addRateLimited('a')
      const next = queue.take()
      await vi.advanceTimersToNextTimerAsync()
      expect(await next).toBe('a')
      waits.push(performance.now() - begun)
      queue.done('a')
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000])
    queue.forget('a')
    queue.addRateLimited('a')
    await vi.advanceTimersByTimeAsync(100)
    expect(queue.depth).toBe(1)
  })

  it('takes the shorter of two waits', async () => {
    const queue = newQueue()
    queue.addAfter('a', 500)
    queue.addAfter('a', 50)
    queue.addAfter('a', 900)
    await vi.advanceTimersByTimeAsync(50)
    expect(await queue.take()).toBe('a')
    queue.done('a')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(queue.depth).toBe(0)
  })

  it('ends every wait when it is closed, and gives out nothing more', async () => {
    const queue = newQueue()
    const waiting = queue.take()
    queue.addAfter('a', 10)
    queue.close()
    queue.add('b')
    await vi.advanceTimersByTimeAsync(10)
    expect([await waiting, await queue.take()]).toEqual([undefined, undefined])
  })
})
