import type { Clock, Timers } from '../../../core/clock.ts'

interface Entry {
  due: number
  release: () => void
}

/** Longest single timer: a clock that was set or a machine that slept is noticed within it. */
const longestTimer = 60_000

/**
 * Holds the records of one retry partition until they are due. Every record of a retry topic waits equally long, so the head is the next
 * due; one that was kept while the topic was missing comes late, and waits for none of the others.
 */
export class DueQueue {
  readonly #clock: Clock & Timers
  readonly #entries: Entry[] = []
  #callOff = () => {}
  #closed = false

  constructor(clock: Clock & Timers) {
    this.#clock = clock
  }

  /** @param due milliseconds since the epoch */
  add(due: number, release: () => void): void {
    if (this.#closed) return
    const before = this.#entries.findLastIndex((entry) => entry.due <= due)
    this.#entries.splice(before + 1, 0, { due, release })
    if (before >= 0) return
    this.#callOff()
    this.#next()
  }

  /** Forgets what waits, and takes nothing more. */
  close(): void {
    this.#closed = true
    this.#callOff()
    this.#entries.length = 0
  }

  #next(): void {
    for (let head = this.#entries[0]; head !== undefined; head = this.#entries[0]) {
      const wait = head.due - this.#clock.now()
      if (wait > 0) {
        this.#callOff = this.#clock.after(Math.min(wait, longestTimer), () => this.#next())
        return
      }
      this.#entries.shift()
      head.release()
    }
  }
}
