import type { Clock } from '../../../core/clock.ts'
import type { FailureClass } from '../../../core/notification/failure.ts'
import type { NotSent, Outcome } from '../../../core/providers/provider.ts'

export type CircuitState = 'closed' | 'half_open' | 'open'

/** When a circuit opens, and for how long. Times in milliseconds. */
export interface CircuitSettings {
  /** Opens it: failures without a success between them. */
  run: number
  /** Opens it: half of so many outcomes, or more. */
  sample: number
  /** Age beyond which an outcome says nothing of the present. */
  window: number
  /** How long it stays open; doubles with every probe that fails. */
  cooldown: { first: number; longest: number }
  /** The same after refused credentials: whoever knocks often with a wrong password is locked out. `undefined`: they are a failure like any other. */
  authCooldown: { first: number; longest: number } | undefined
}

/** Leave to make one call. */
export interface Ticket {
  generation: number
  probe: boolean
}

/** What an outcome meant to the circuit. */
export interface Settlement {
  /** `outage`: the circuit had opened since the call began, or the call was its probe. Nothing is to be held against the delivery. */
  blame: 'delivery' | 'outage'
  /** Milliseconds for which the circuit is open. */
  openFor: number
  /** Milliseconds for which it has not been closed. */
  outFor: number
}

/**
 * A circuit breaker. Closed, it lets every call through and watches the outcomes. A run or a ratio of failures opens it; then it lets nothing
 * through until the cool-down is over, and after that one call, the probe, whose outcome closes it or opens it for longer.
 * Only outcomes that tell something of the other side count: `not_sent`, `maybe_sent` and `auth`. What it refused or took shows that it lives;
 * "too many" opens the circuit for exactly the time it asks for.
 */
export class Circuit {
  readonly #clock: Clock
  readonly #settings: CircuitSettings
  /** Rises whenever the circuit opens, so that what began before can be told from what began after. */
  #generation = 0
  #recent: { at: number; failed: boolean }[] = []
  /** On the monotonic clock; `undefined` while closed. */
  #openUntil: number | undefined
  #probing = false
  /** Openings without a success between them. */
  #level = 0
  #since: number
  /** The same on the monotonic clock. */
  #changedAt: number
  #lastFailure: FailureClass | null = null

  constructor({ clock, settings }: { clock: Clock; settings: CircuitSettings }) {
    this.#clock = clock
    this.#settings = settings
    this.#since = clock.now()
    this.#changedAt = clock.monotonic()
  }

  get state(): CircuitState {
    if (this.#openUntil === undefined) return 'closed'
    return this.openFor > 0 ? 'open' : 'half_open'
  }

  /** Milliseconds until a probe is let through; 0 when it is not open. */
  get openFor(): number {
    return Math.max(0, (this.#openUntil ?? 0) - this.#clock.monotonic())
  }

  /** Milliseconds for which it has not been closed; 0 when it is. */
  get outFor(): number {
    return this.#openUntil === undefined ? 0 : this.#clock.monotonic() - this.#changedAt
  }

  /** Milliseconds since the epoch at which it left or became closed. */
  get since(): number {
    return this.#since
  }

  get lastFailure(): FailureClass | null {
    return this.#lastFailure
  }

  /** Whether it is closed and remembers no failure: nothing is lost with it. */
  get clean(): boolean {
    this.#forget()
    return this.#openUntil === undefined && this.#recent.every(({ failed }) => !failed)
  }

  canEnter(): boolean {
    return this.#openUntil === undefined || (!this.#probing && this.openFor === 0)
  }

  /** Leave for one call, or `undefined`. Every ticket must be settled or given back. */
  enter(): Ticket | undefined {
    if (!this.canEnter()) return undefined
    const probe = this.#openUntil !== undefined
    this.#probing = probe
    return { generation: this.#generation, probe }
  }

  /** Gives back the leave of a call that was not made. */
  cancel(ticket: Ticket): void {
    if (this.#isProbe(ticket)) this.#probing = false
  }

  settle(ticket: Ticket, outcome: Outcome): Settlement {
    const failed = isFailure(outcome)
    if (failed) this.#lastFailure = outcome.class
    const late = ticket.generation !== this.#generation
    const probe = this.#isProbe(ticket)
    if (asksToWait(outcome)) this.#wait(outcome.retryAfter)
    else if (probe) this.#judgeProbe(outcome)
    else if (!late) this.#watch(outcome)
    // A probe that may have sent is an attempt like any other: a message that always ends so must not be a probe for ever.
    const outage = late || (probe && outcome.class !== 'maybe_sent')
    const blame = failed && outage ? 'outage' : 'delivery'
    return { blame, openFor: this.openFor, outFor: this.outFor }
  }

  #isProbe({ generation, probe }: Ticket): boolean {
    return probe && generation === this.#generation
  }

  #watch(outcome: Outcome): void {
    this.#recent.push({ at: this.#clock.monotonic(), failed: isFailure(outcome) })
    this.#forget()
    if (isFailure(outcome) && this.#mustOpen(outcome)) this.#open(outcome)
  }

  #forget(): void {
    const { sample, window } = this.#settings
    const oldest = this.#clock.monotonic() - window
    this.#recent = this.#recent.slice(-sample).filter(({ at }) => at >= oldest)
  }

  #mustOpen(outcome: NotSent): boolean {
    if (outcome.class === 'auth' && this.#settings.authCooldown !== undefined) return true
    const { run, sample } = this.#settings
    const inARow = this.#recent.length - 1 - this.#recent.findLastIndex(({ failed }) => !failed)
    const failures = this.#recent.filter(({ failed }) => failed).length
    return inARow >= run || (this.#recent.length === sample && failures * 2 >= sample)
  }

  #judgeProbe(outcome: Outcome): void {
    if (isFailure(outcome)) this.#open(outcome)
    else this.#close()
  }

  #open({ class: failure, retryAfter = 0 }: NotSent): void {
    const { cooldown, authCooldown } = this.#settings
    const { first, longest } = (failure === 'auth' ? authCooldown : undefined) ?? cooldown
    const milliseconds = Math.max(Math.min(first * 2 ** this.#level, longest), retryAfter)
    this.#level++
    this.#openFor(milliseconds)
  }

  /** Asked for by the other side, so it is no failure and makes nothing longer. A wait that ends before one that is known changes nothing. */
  #wait(milliseconds: number): void {
    if (milliseconds > this.openFor) this.#openFor(milliseconds)
  }

  #openFor(milliseconds: number): void {
    if (this.#openUntil === undefined) this.#noteChange()
    this.#openUntil = this.#clock.monotonic() + milliseconds
    this.#generation++
    this.#probing = false
    this.#recent = []
  }

  #close(): void {
    this.#openUntil = undefined
    this.#probing = false
    this.#level = 0
    this.#recent = []
    this.#noteChange()
  }

  #noteChange(): void {
    this.#since = this.#clock.now()
    this.#changedAt = this.#clock.monotonic()
  }
}

const failures: ReadonlySet<Outcome['class']> = new Set(['not_sent', 'maybe_sent', 'auth'])

function isFailure(outcome: Outcome): outcome is NotSent {
  return failures.has(outcome.class)
}

function asksToWait(outcome: Outcome): outcome is NotSent & { retryAfter: number } {
  return outcome.class === 'rate_limited' && 'retryAfter' in outcome && (outcome.retryAfter ?? 0) > 0
}
