import { describe, expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { TokenLimiter } from './limiter.ts'
import type { LeaseRequest, Rate, SharedTokens } from './shared-limits.ts'

const rate: Rate = { limit: 100, interval: 1_000 }

function world(options: { shared?: SharedTokens; share?: () => number } = {}) {
  const clock = manualClock()
  const waits: number[] = []
  let wakes = 0
  const limiter = new TokenLimiter({
    rate,
    shared: options.shared,
    share: options.share ?? (() => 1),
    clock,
    onTokens: () => wakes++,
    onWaited: (milliseconds) => waits.push(milliseconds),
  })
  const takeAll = () => {
    let count = 0
    for (; limiter.has(); count++) limiter.take()
    return count
  }
  return { clock, limiter, takeAll, waits, wakes: () => wakes }
}

/** A shared window that answers what a test says, and can be away. */
function sharedWindow() {
  const asked: LeaseRequest[] = []
  const window = { away: false, fails: false, grant: { tokens: 5, wait: 0 } }
  const shared: SharedTokens = {
    reachable: () => !window.away,
    async lease(request) {
      asked.push(request)
      if (window.fails) throw new Error('gone')
      return window.grant
    },
  }
  return { window, shared, asked }
}

describe('TokenLimiter alone', () => {
  it('hands out the limit and then says when there is more', () => {
    const { clock, limiter, takeAll, waits, wakes } = world()
    expect(takeAll()).toBe(100)
    clock.advance(1_000)
    expect(wakes()).toBe(1)
    expect(limiter.has()).toBe(false)
    clock.advance(20)
    expect(wakes()).toBe(2)
    expect(takeAll()).toBe(100)
    expect(waits).toEqual([1_020])
  })

  it('keeps to its share, which follows the partitions it has, and to one message at the least', () => {
    let share = 1 / 3
    const { clock, takeAll } = world({ share: () => share })
    expect(takeAll()).toBe(33)
    share = 2 / 3
    expect(takeAll()).toBe(33)
    clock.advance(2_000)
    share = 1 / 1_000
    expect(takeAll()).toBe(1)
  })

  it('gives a token back that was not used', () => {
    const { limiter, takeAll } = world()
    const giveBack = limiter.has() ? limiter.take() : undefined
    takeAll()
    giveBack?.()
    expect(takeAll()).toBe(1)
  })
})

describe('TokenLimiter over a shared window', () => {
  it('leases a few tokens at a time and asks for more only when they are gone', async () => {
    const { shared, asked } = sharedWindow()
    const { takeAll, wakes } = world({ shared })
    expect(takeAll()).toBe(0)
    expect(takeAll()).toBe(0)
    await expect.poll(wakes).toBe(1)
    expect(takeAll()).toBe(5)
    await expect.poll(wakes).toBe(2)
    expect(asked).toEqual([
      { tokens: 5, unshared: 0, used: 0 },
      { tokens: 5, unshared: 0, used: 5 },
    ])
  })

  it('waits as told when there are none, and lets old leases lapse', async () => {
    const { shared, window } = sharedWindow()
    const { clock, limiter, wakes } = world({ shared })
    limiter.has()
    await expect.poll(wakes).toBe(1)
    clock.advance(100)
    window.grant = { tokens: 0, wait: 300 }
    expect(limiter.has()).toBe(false)
    await Promise.resolve()
    await Promise.resolve()
    clock.advance(299)
    expect(wakes()).toBe(1)
    clock.advance(1)
    expect(wakes()).toBe(2)
  })

  it('takes an unused token back into the lease it is of, which lapses no later for that', async () => {
    const { shared } = sharedWindow()
    const { clock, limiter, takeAll, wakes } = world({ shared })
    limiter.has()
    await expect.poll(wakes).toBe(1)
    for (let passed = 0; passed < 99; passed += 33) {
      clock.advance(33)
      expect(limiter.has()).toBe(true)
      limiter.take()()
    }
    const giveBack = limiter.take()
    clock.advance(1)
    expect(limiter.has()).toBe(false)
    await expect.poll(wakes).toBe(2)
    giveBack()
    expect(takeAll()).toBe(5)
  })

  it('goes on with its own share at once when the window is lost, counting what it had, and tells it on its return', async () => {
    const { shared, window, asked } = sharedWindow()
    window.grant = { tokens: 20, wait: 0 }
    const { clock, limiter, takeAll, wakes } = world({ shared, share: () => 1 / 2 })
    limiter.has()
    await expect.poll(wakes).toBe(1)
    window.fails = true
    expect(takeAll()).toBe(20)
    window.away = true
    await expect.poll(wakes).toBe(2)
    expect(takeAll()).toBe(30)
    window.away = false
    window.fails = false
    clock.advance(1_000)
    expect(limiter.has()).toBe(false)
    expect(asked.at(-1)).toEqual({ tokens: 5, unshared: 30, used: 50 })
    await expect.poll(wakes).toBe(4)
    takeAll()
    expect(asked.at(-1)).toMatchObject({ unshared: 0 })
  })
})
