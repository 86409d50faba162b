import type { Clock } from '../../../core/clock.ts'

/** How a worker did since the sample before, for its heartbeat. */
export interface ThroughputSample {
  /** Deliveries finished per second. */
  rate: number
  slots: number
  /** Busy slots on average. */
  busy: number
  /** Deliveries per second with every slot busy; `null` while it was never busy enough to know. */
  capacity: number | null
}

/** Share of busy slots below which a sample says little of what more of them would do. */
const tellingShare = 0.2
/** Milliseconds over which capacity is averaged: samples count less and less as time goes by in which others were taken. */
const memory = 60_000

/**
 * Measures what a worker does with its slots. A slot finishes one delivery per duration of a delivery, so the capacity is what a busy slot
 * finishes per second, times the slots. While there is little to do it stays what it was: idleness says nothing of it.
 */
export class Throughput {
  readonly #slots: number
  readonly #clock: Clock
  #running = 0
  #changedAt: number
  #sampledAt: number
  #busyTime = 0
  #finished = 0
  /** Sums over telling samples, fading. */
  readonly #telling = { busyTime: 0, finished: 0 }

  constructor({ slots, clock }: { slots: number; clock: Clock }) {
    this.#slots = slots
    this.#clock = clock
    this.#changedAt = clock.monotonic()
    this.#sampledAt = this.#changedAt
  }

  /** A slot is taken. */
  begin(): void {
    this.#accrue()
    this.#running++
  }

  /** A slot is free again, and its delivery finished or put off. */
  end(finished: boolean): void {
    this.#accrue()
    this.#running--
    if (finished) this.#finished++
  }

  sample(): ThroughputSample {
    this.#accrue()
    const now = this.#clock.monotonic()
    const elapsed = Math.max(1, now - this.#sampledAt)
    const busy = this.#busyTime / elapsed
    const rate = (this.#finished / elapsed) * 1000
    if (busy > this.#slots * tellingShare) {
      const fading = Math.exp(-elapsed / memory)
      this.#telling.busyTime = this.#telling.busyTime * fading + this.#busyTime
      this.#telling.finished = this.#telling.finished * fading + this.#finished
    }
    this.#sampledAt = now
    this.#busyTime = 0
    this.#finished = 0
    const { busyTime, finished } = this.#telling
    const capacity = busyTime === 0 ? null : (finished / busyTime) * 1000 * this.#slots
    return { rate, slots: this.#slots, busy, capacity }
  }

  #accrue(): void {
    const now = this.#clock.monotonic()
    this.#busyTime += this.#running * (now - this.#changedAt)
    this.#changedAt = now
  }
}
