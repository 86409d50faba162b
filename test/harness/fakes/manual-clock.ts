import type { Clock, Timers } from '../../../core/clock.ts'

export interface ManualClock extends Clock, Timers {
  /** Lets time pass; what falls due on the way is called in order, at its own time. */
  advance(milliseconds: number): void
}

/** A clock that a test moves by hand. It begins at 2026-01-01. */
export function manualClock(): ManualClock {
  const start = Date.parse('2026-01-01T00:00:00Z')
  const waiting = new Set<{ due: number; callback: () => void }>()
  let elapsed = 0
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(milliseconds, callback) {
      const entry = { due: elapsed + milliseconds, callback }
      waiting.add(entry)
      return () => waiting.delete(entry)
    },
    advance(milliseconds) {
      const end = elapsed + milliseconds
      for (;;) {
        const next = [...waiting].toSorted((a, b) => a.due - b.due).find(({ due }) => due <= end)
        if (next === undefined) break
        waiting.delete(next)
        elapsed = Math.max(elapsed, next.due)
        next.callback()
      }
      elapsed = end
    },
  }
}
