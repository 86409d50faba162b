import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../../core/clock.ts'
import { DueQueue } from './due-queue.ts'

describe('DueQueue', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
  afterEach(() => void vi.useRealTimers())

  it('releases in order, each when it is due and not before', () => {
    const released: string[] = []
    const queue = new DueQueue(clock)
    queue.add(1_000_000 - 5, () => released.push('overdue'))
    queue.add(1_000_000 + 100, () => released.push('soon'))
    queue.add(1_000_000 + 7_200_000, () => released.push('later'))
    expect(released).toEqual(['overdue'])
    vi.advanceTimersByTime(99)
    expect(released).toEqual(['overdue'])
    vi.advanceTimersByTime(1)
    expect(released).toEqual(['overdue', 'soon'])
    vi.advanceTimersByTime(7_200_000 - 101)
    expect(released).toHaveLength(2)
    vi.advanceTimersByTime(1)
    expect(released).toEqual(['overdue', 'soon', 'later'])
  })

  it('lets nothing wait for what came before it and is due later', () => {
    const released: string[] = []
    const queue = new DueQueue(clock)
    queue.add(1_000_000 + 300, () => released.push('third'))
    queue.add(1_000_000 + 100, () => released.push('first'))
    queue.add(1_000_000 + 200, () => released.push('second'))
    queue.add(1_000_000 - 1, () => released.push('overdue'))
    expect(released).toEqual(['overdue'])
    vi.advanceTimersByTime(100)
    expect(released).toEqual(['overdue', 'first'])
    vi.advanceTimersByTime(200)
    expect(released).toEqual(['overdue', 'first', 'second', 'third'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('notices a clock that jumps ahead', () => {
    const released: string[] = []
    const queue = new DueQueue(clock)
    queue.add(1_000_000 + 86_400_000, () => released.push('tomorrow'))
    vi.setSystemTime(1_000_000 + 86_400_000)
    vi.advanceTimersByTime(60_000)
    expect(released).toEqual(['tomorrow'])
  })

  it('forgets everything when closed, and takes nothing more', () => {
    const released: string[] = []
    const queue = new DueQueue(clock)
    queue.add(1_000_001, () => released.push('gone'))
    queue.close()
    queue.add(1_000_002, () => released.push('late'))
    vi.advanceTimersByTime(1_000)
    expect(released).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})
