import { describe, expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Throughput } from './throughput.ts'

/** Lets so many slots each finish deliveries of 100 ms for some seconds. */
function work(throughput: Throughput, clock: ReturnType<typeof manualClock>, slots: number, seconds: number) {
  for (let turn = 0; turn < seconds * 10; turn++) {
    for (let slot = 0; slot < slots; slot++) throughput.begin()
    clock.advance(100)
    for (let slot = 0; slot < slots; slot++) throughput.end(true)
  }
}

describe('throughput', () => {
  it('is what a worker does, and what it could do with every slot busy', () => {
    const clock = manualClock()
    const throughput = new Throughput({ slots: 8, clock })
    work(throughput, clock, 4, 5)
    expect(throughput.sample()).toEqual({ rate: 40, slots: 8, busy: 4, capacity: 80 })
  })

  it('knows no capacity before it was busy, and keeps it while it is idle', () => {
    const clock = manualClock()
    const throughput = new Throughput({ slots: 10, clock })
    clock.advance(5_000)
    expect(throughput.sample()).toEqual({ rate: 0, slots: 10, busy: 0, capacity: null })
    work(throughput, clock, 1, 5)
    expect(throughput.sample()).toMatchObject({ rate: 10, busy: 1, capacity: null })
    work(throughput, clock, 10, 5)
    expect(throughput.sample()).toMatchObject({ rate: 100, busy: 10, capacity: 100 })
    clock.advance(3_600_000)
    expect(throughput.sample()).toEqual({ rate: 0, slots: 10, busy: 0, capacity: 100 })
  })

  it('follows a provider that becomes slower', () => {
    const clock = manualClock()
    const throughput = new Throughput({ slots: 4, clock })
    work(throughput, clock, 4, 60)
    expect(throughput.sample().capacity).toBeCloseTo(40)
    for (let minute = 0; minute < 5; minute++) {
      for (let turn = 0; turn < 60; turn++) {
        for (let slot = 0; slot < 4; slot++) throughput.begin()
        clock.advance(1_000)
        for (let slot = 0; slot < 4; slot++) throughput.end(true)
      }
      throughput.sample()
    }
    expect(throughput.sample().capacity).toBeLessThan(5)
  })

  it('counts a delivery that is put off as time of a slot, and not as finished', () => {
    const clock = manualClock()
    const throughput = new Throughput({ slots: 1, clock })
    throughput.begin()
    clock.advance(1_000)
    throughput.end(false)
    throughput.begin()
    clock.advance(1_000)
    throughput.end(true)
    expect(throughput.sample()).toEqual({ rate: 0.5, slots: 1, busy: 1, capacity: 0.5 })
  })

  it('sees a delivery that has not ended', () => {
    const clock = manualClock()
    const throughput = new Throughput({ slots: 2, clock })
    throughput.begin()
    clock.advance(4_000)
    expect(throughput.sample()).toEqual({ rate: 0, slots: 2, busy: 1, capacity: 0 })
  })
})
