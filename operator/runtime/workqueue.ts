import type { Clock, Timers } from '../../core/clock.ts'
import type { WorkqueueMetrics } from './metrics.ts'

export interface WorkqueueOptions {
  /** Milliseconds that a key waits after its first failure; doubled by each further one. */
  firstBackoff: number
  longestBackoff: number
  clock: Clock & Timers
  metrics: WorkqueueMetrics
}

/**
 * Keys that are to be worked on, as controller-runtime's workqueue: a key that is added many times is worked on once, never by two workers at
 * once, and again when it was added meanwhile. A key that fails waits longer each time.
 */
export class Workqueue {
  readonly #options: WorkqueueOptions
  readonly #ready: string[] = []
  /** Added and not yet taken. */
  readonly #dirty = new Set<string>()
  readonly #processing = new Set<string>()
  readonly #failures = new Map<string, number>()
  /** One a key: of two waits the shorter counts. */
  readonly #waiting = new Map<string, { at: number; callOff: () => void }>()
  readonly #takers: ((key: string | undefined) => void)[] = []
  #closed = false

  constructor(options: WorkqueueOptions) {
    this.#options = options
  }

  /** How many keys wait to be taken now. */
  get depth(): number {
    return this.#ready.length
  }

  /** The keys that were added and not yet taken. */
  get keys(): string[] {
    return [...this.#dirty]
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return
    this.#options.metrics.added(key)
    this.#dirty.add(key)
    if (!this.#processing.has(key)) this.#offer(key)
  }

  addAfter(key: string, milliseconds: number): void {
    if (this.#closed) return
    const { clock } = this.#options
    const at = clock.monotonic() + milliseconds
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined && waiting.at <= at) return
    waiting?.callOff()
    const callOff = clock.after(milliseconds, () => {
      this.#waiting.delete(key)
      this.add(key)
    })
    this.#waiting.set(key, { at, callOff })
  }

  /** Adds the key again after its backoff. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    const { firstBackoff, longestBackoff, metrics } = this.#options
    metrics.retried()
    this.addAfter(key, Math.min(firstBackoff * 2 ** failures, longestBackoff))
  }

  /** Forgets that the key ever failed. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /** Resolves with the next key, or undefined once the queue is closed. Whoever takes a key calls `done`. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    const key = this.#ready.shift()
    if (key !== undefined) return Promise.resolve(this.#hand(key))
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  done(key: string): void {
    this.#processing.delete(key)
    this.#options.metrics.done(key)
    if (this.#dirty.has(key)) this.#offer(key)
  }

  /** Gives out nothing more. */
  close(): void {
    this.#closed = true
    for (const { callOff } of this.#waiting.values()) callOff()
    this.#waiting.clear()
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }

  #offer(key: string): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#ready.push(key)
    else taker(this.#hand(key))
  }

  #hand(key: string): string {
    this.#dirty.delete(key)
    this.#processing.add(key)
    this.#options.metrics.taken(key)
    return key
  }
}
