import type { Clock, Timers } from '../../core/clock.ts'

interface Event {
  at: number
  sequence: number
  run: () => void
}

/** Time that passes only from event to event. What is due at the same millisecond happens in the order in which it was asked for. */
export class VirtualTime implements Clock, Timers {
  /** In order of time. */
  readonly #events: Event[] = []
  #now = Date.parse('2026-01-01T00:00:00Z')
  #sequence = 0

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(milliseconds: number, run: () => void): () => void {
    const event = { at: this.#now + Math.max(0, milliseconds), sequence: this.#sequence++, run }
    const index = this.#events.findLastIndex(({ at }) => at <= event.at)
    this.#events.splice(index + 1, 0, event)
    return () => {
      const found = this.#events.indexOf(event)
      if (found >= 0) this.#events.splice(found, 1)
    }
  }

  /** Lets events happen until the condition holds, or so many milliseconds have passed. Answers whether it holds. */
  async runUntil(holds: () => boolean, milliseconds: number): Promise<boolean> {
    const deadline = this.#now + milliseconds
    while (!holds()) {
      const event = this.#events[0]
      if (event === undefined || event.at > deadline) {
        this.#now = deadline
        return holds()
      }
      this.#events.shift()
      this.#now = event.at
      event.run()
      // Everything that follows from it without a wait of its own.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return true
  }
}
