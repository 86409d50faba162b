import type { Clock } from '../../clock.ts'

/** Tasks in a row that must have ended a thread before no more are tried. */
const run = 5
/** Milliseconds for which none is tried then; doubles with every trial that ends a thread again. */
const cooldown = { first: 30_000, longest: 600_000 }
/** Breakers kept at the most; the one that was used longest ago is forgotten first. */
const maxKept = 1_000

interface State {
  /** Tasks in a row that ended a thread. */
  failures: number
  /** On the monotonic clock; no trial before it. */
  closedUntil: number
  /** Whether a trial is under way. */
  trying: boolean
}

/** What may be done with a task: try it, wait for a trial that is under way, or put it off. */
export type Verdict =
  | { kind: 'try' }
  | { kind: 'wait' }
  /** No trial comes before so many milliseconds have passed. */
  | { kind: 'later'; milliseconds: number }

/**
 * Remembers what ended threads again and again, each of them seconds of a lane that others need. After some in a row it is put off for a while; then one is
 * tried, whose end lets all the others through or puts them off for longer.
 */
export class RunawayBreaker {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Least recently used first. */
  readonly #states = new Map<string, State>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Every `try` must be told of with {@link ended} or {@link unknown}. */
  enter(key: string): Verdict {
    const state = this.#states.get(key)
    if (state === undefined || state.failures < run) return { kind: 'try' }
    const milliseconds = state.closedUntil - this.#clock.monotonic()
    if (milliseconds > 0) return { kind: 'later', milliseconds }
    if (state.trying) return { kind: 'wait' }
    state.trying = true
    return { kind: 'try' }
  }

  /** A task that was tried has ended: well, or by ending its thread. */
  ended(key: string, well: boolean): void {
    if (well) {
      this.#states.delete(key)
      return
    }
    const failures = (this.#states.get(key)?.failures ?? 0) + 1
    const closedFor = Math.min(cooldown.first * 2 ** Math.max(0, failures - run), cooldown.longest)
    this.#states.delete(key)
    this.#states.set(key, { failures, closedUntil: this.#clock.monotonic() + closedFor, trying: false })
    if (this.#states.size > maxKept) this.#states.delete(this.#states.keys().next().value!)
  }

  /** Nothing came of a task that was tried. */
  unknown(key: string): void {
    const state = this.#states.get(key)
    if (state !== undefined) state.trying = false
  }
}
