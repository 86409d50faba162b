import type { Clock, Timers } from '../../../core/clock.ts'
import type { BackPressure } from './back-pressure.ts'
import type { ClaimAhead } from './claim-ahead.ts'
import type { Permit } from './lane.ts'
import type { Throughput } from './throughput.ts'

/** What one delivery has of the slots, from its beginning to its end. */
export interface Place {
  /** Waits for a slot and leave to call a provider. `undefined` when that is given up: nobody is called, and a claim goes back. */
  enter(): Promise<Permit | undefined>
  /** Nothing more is asked of a provider: another may have the slot. */
  free(): void
  /** The delivery is over. @param finished whether it is not to begin again */
  end(finished: boolean): void
}

export interface SlotsOptions {
  concurrency: number
  pressure: Pick<BackPressure, 'canEnter' | 'enter' | 'capacity' | 'isClosed'>
  /** `undefined` where nothing may be claimed ahead. */
  ahead: ClaimAhead | undefined
  throughput: Throughput
  clock: Clock & Timers
  /** Called when one more may begin. */
  onFree: () => void
}

/** A claim that waits for its slot. */
interface Waiting {
  abandoned: () => boolean
  /** On the monotonic clock. */
  until: number
  grant: (permit: Permit) => void
  letGo: () => void
}

/** Milliseconds for which a claim waits for its slot at the most. Its lease has to cover the call after that. */
export const claimPatience = 1_000

/**
 * The calls that a worker may have in flight. While some are free a delivery has its slot, and leave to call the provider, from before its
 * claim. While all are busy a few more begin without, and wait with their claim for the next that is free: see {@link ClaimAhead}. They are let go
 * when the worker stops, their partition is lost, the circuit opens, or the wait is too long.
 */
export class Slots {
  readonly #options: SlotsOptions
  /** First come, first served. */
  readonly #waiting: Waiting[] = []
  #busy = 0
  /** Begun, and without a slot as yet. */
  #ahead = 0
  #callOff: (() => void) | undefined
  #stopped = false

  constructor(options: SlotsOptions) {
    this.#options = options
  }

  get busy(): number {
    return this.#busy
  }

  /** Whether one more delivery may begin. After a no, `onFree` says when to ask again, or whoever wakes this. */
  mayBegin(): boolean {
    const { concurrency, pressure, ahead } = this.#options
    const begun = this.#busy + this.#ahead
    if (begun < concurrency && pressure.canEnter()) return true
    if (ahead === undefined || !pressure.isClosed()) return false
    const slots = Math.min(concurrency, pressure.capacity())
    return begun >= slots && this.#ahead < ahead.limit(slots)
  }

  /** A delivery begins. @param abandoned whether nobody wants it any more */
  begin(abandoned: () => boolean): Place {
    const { concurrency, ahead, throughput, clock } = this.#options
    const begunAt = clock.monotonic()
    let permit: Permit | undefined
    let enteredAt: number | undefined
    let over = false
    const grant = (granted: Permit) => {
      permit = granted
      this.#busy++
      throughput.begin()
    }
    const end = (finished: boolean) => {
      if (over) return
      over = true
      if (permit === undefined) this.#ahead--
      else {
        permit.release()
        this.#busy--
        throughput.end(finished)
      }
      if (enteredAt !== undefined) ahead?.called(clock.monotonic() - enteredAt)
      this.wake()
    }
    const first = this.#busy + this.#ahead < concurrency ? this.#options.pressure.enter() : undefined
    if (first === undefined) this.#ahead++
    else grant(first)
    return {
      enter: async () => {
        ahead?.claimed(clock.monotonic() - begunAt)
        if (permit === undefined) await this.#wait(abandoned, grant)
        if (permit !== undefined) enteredAt = clock.monotonic()
        return permit
      },
      free: () => end(true),
      end,
    }
  }

  /** Looks who may have a slot now, and whether another delivery may begin. */
  wake(): void {
    this.#serve()
    this.#options.onFree()
  }

  /** Lets those go that nobody wants any more. */
  dropAbandoned(): void {
    this.#letGo(({ abandoned }) => abandoned())
  }

  /** Lets all go that wait, and that come to wait. */
  stop(): void {
    this.#stopped = true
    this.#letGo(() => true)
    this.#callOff?.()
  }

  #wait(abandoned: () => boolean, grant: (permit: Permit) => void): Promise<void> {
    if (this.#stopped || abandoned()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({
        abandoned,
        until: this.#options.clock.monotonic() + claimPatience,
        grant: (permit) => {
          this.#ahead--
          grant(permit)
          resolve()
        },
        letGo: resolve,
      })
      this.#serve()
      this.#watch()
    })
  }

  #serve(): void {
    if (this.#waiting.length === 0) return
    const { concurrency, pressure } = this.#options
    // After a pause of the process even the first in line may be late.
    this.#letGoLate()
    while (this.#waiting.length > 0 && this.#busy < concurrency) {
      const permit = pressure.enter()
      if (permit === undefined) break
      this.#waiting.shift()!.grant(permit)
    }
    if (!pressure.isClosed()) this.#letGo(() => true)
  }

  /** Sees to it that no wait is too long while no call ends. */
  #watch(): void {
    const [first] = this.#waiting
    if (first === undefined || this.#callOff !== undefined) return
    const { clock } = this.#options
    this.#callOff = clock.after(Math.max(0, first.until - clock.monotonic()), () => {
      this.#callOff = undefined
      this.#letGoLate()
      this.#watch()
    })
  }

  #letGoLate(): void {
    const now = this.#options.clock.monotonic()
    if (this.#waiting.length === 0 || this.#waiting[0]!.until > now) return
    this.#letGo(({ until }) => {
      if (until > now) return false
      // Calls last that long at least.
      this.#options.ahead?.called(claimPatience)
      return true
    })
  }

  #letGo(chosen: (waiting: Waiting) => boolean): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (chosen(waiting)) waiting.letGo()
      else this.#waiting.push(waiting)
    }
  }
}
