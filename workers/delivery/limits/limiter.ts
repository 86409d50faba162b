import type { Clock, Timers } from '../../../core/clock.ts'
import type { Rate, SharedTokens } from './shared-limits.ts'
import { parts, SlidingWindow } from './sliding-window.ts'

/** The tokens of a rate limit that are at hand: one is needed for each message. */
export interface Limiter {
  /** Whether there is a token. When not, one is asked for, and `onTokens` says when to look again. */
  has(): boolean
  /** Takes a token that is there. What it answers gives it back, when it was not used: to where it came from, and for no longer than it was there. */
  take(): () => void
  stop(): void
}

export interface LimiterOptions {
  rate: Rate
  /** The window of all workers; `undefined` where they share none. */
  shared: SharedTokens | undefined
  /** The part of the limit that is this worker's while there is no shared window, 0 to 1. */
  share: () => number
  clock: Clock & Timers
  /** Called when there may be a token again. */
  onTokens: () => void
  /** Is told for how many milliseconds a token had to be waited for. */
  onWaited: (milliseconds: number) => void
}

/** Milliseconds for which leased tokens may be used at least: a worker that was busy elsewhere must not lose them all. */
const shortestLease = 100
/** The shared window may come or go meanwhile, and the share change. */
const longestWait = 1_000
/** Leases in which a limit is handed out: none of the workers can take it all, and Redis is asked at most so often in an interval. */
const leases = 20

/**
 * Hands out the tokens of a rate limit without waiting, because it is asked before every start. Tokens of the shared window are leased
 * a few at a time; while that window is out of reach, this worker counts its own share of the limit.
 */
export class TokenLimiter implements Limiter {
  readonly #options: LimiterOptions
  /** All that this worker took, from wherever: what its own share begins with when the shared window is lost. */
  readonly #own: SlidingWindow
  readonly #leaseSize: number
  readonly #leaseTime: number
  #tokens = 0
  #lapse = 0
  /** Taken without the shared window since it last answered. */
  #unshared = 0
  #asking = false
  #callOff: (() => void) | undefined
  #waitingSince: number | undefined
  #stopped = false

  constructor(options: LimiterOptions) {
    const { rate, clock } = options
    this.#options = options
    this.#own = new SlidingWindow({ interval: rate.interval, clock })
    this.#leaseSize = Math.ceil(rate.limit / leases)
    this.#leaseTime = Math.max(rate.interval / parts, shortestLease)
  }

  has(): boolean {
    const now = this.#options.clock.monotonic()
    if (this.#has(now)) {
      if (this.#waitingSince !== undefined) this.#options.onWaited(now - this.#waitingSince)
      this.#waitingSince = undefined
      return true
    }
    this.#waitingSince ??= now
    return false
  }

  take(): () => void {
    if (this.#tokens > 0) {
      this.#tokens--
      const lapse = this.#lapse
      return () => {
        if (lapse === this.#lapse) this.#tokens++
      }
    }
    this.#unshared++
    const giveBack = this.#own.add(1)
    return () => {
      // What the shared window was told of, it keeps.
      this.#unshared = Math.max(0, this.#unshared - 1)
      giveBack()
    }
  }

  stop(): void {
    this.#stopped = true
    this.#callOff?.()
  }

  #has(now: number): boolean {
    if (now >= this.#lapse) this.#tokens = 0
    if (this.#tokens > 0) return true
    const { shared, share, rate } = this.#options
    if (shared?.reachable()) {
      if (!this.#asking && this.#callOff === undefined) void this.#lease(shared)
      return false
    }
    const wait = this.#own.wait(Math.max(1, Math.floor(rate.limit * share())))
    if (wait > 0) this.#lookAgain(wait)
    return wait === 0
  }

  async #lease(shared: SharedTokens): Promise<void> {
    this.#asking = true
    const unshared = this.#unshared
    const { used } = this.#own
    const request = { tokens: this.#leaseSize, unshared: Math.min(unshared, used), used }
    const grant = await shared.lease(request).catch(() => undefined)
    this.#asking = false
    if (grant !== undefined) this.#unshared = Math.max(0, this.#unshared - unshared)
    if (grant?.tokens === 0) return this.#lookAgain(grant.wait)
    if (grant !== undefined) {
      this.#tokens = grant.tokens
      this.#lapse = this.#options.clock.monotonic() + this.#leaseTime
      this.#own.add(grant.tokens)
    }
    if (!this.#stopped) this.#options.onTokens()
  }

  #lookAgain(milliseconds: number): void {
    if (this.#stopped || this.#callOff !== undefined) return
    this.#callOff = this.#options.clock.after(Math.ceil(Math.min(milliseconds, longestWait)), () => {
      this.#callOff = undefined
      this.#options.onTokens()
    })
  }
}
