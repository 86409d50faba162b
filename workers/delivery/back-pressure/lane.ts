import type { Clock } from '../../../core/clock.ts'
import type { FailureClass } from '../../../core/notification/failure.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { OpenedProvider } from '../providers.ts'
import { Circuit, type CircuitSettings, type CircuitState, type Settlement, type Ticket } from './circuit.ts'
import { Ramp } from './ramp.ts'

/** How one provider does, for heartbeats and the channel's status. */
export interface ProviderHealth {
  provider: string
  circuit: CircuitState
  /** Milliseconds since the epoch at which the circuit left or became closed. */
  since: number
  /** Class of the last failure that its circuit counted; `null` while there was none. */
  lastFailure: FailureClass | null
}

/** Leave to call one provider, once. It ends with the first `settle` or `release`; a second one does nothing. */
export interface Permit {
  provider: OpenedProvider
  /** The call was made and came to this. */
  settle(outcome: Outcome): Settlement
  /** The call is not made. */
  release(): void
}

/**
 * A false alarm costs a second, and an outage a probe each minute at the most. Refused credentials are knocked with as rarely as lets a
 * rotated secret be noticed soon and no account be locked.
 */
const providerCircuit: CircuitSettings = {
  run: 5,
  sample: 20,
  window: 60_000,
  cooldown: { first: 1_000, longest: 60_000 },
  authCooldown: { first: 30_000, longest: 300_000 },
}

/** A worker that starts, or whose channel was suspended, does not come down on the provider with all it has at once. */
const firstShare = 8

/** The way to one provider of a channel: what its circuit, its ramp and its rate limit let through. */
export class Lane {
  readonly provider: OpenedProvider
  readonly circuit: Circuit
  readonly #limiter: Limiter | undefined
  readonly #ramp: Ramp
  #inFlight = 0

  constructor(options: { provider: OpenedProvider; clock: Clock; limiter: Limiter | undefined }) {
    this.provider = options.provider
    this.#limiter = options.limiter
    this.circuit = new Circuit({ clock: options.clock, settings: providerCircuit })
    const full = options.provider.maxConcurrent
    this.#ramp = new Ramp({ full, from: Math.ceil(full / firstShare) })
  }

  /** Calls that may be in flight at present. */
  get capacity(): number {
    const { state } = this.circuit
    if (state === 'closed') return this.#ramp.limit
    return state === 'open' ? 0 : 1
  }

  /** Whether the provider may be asked at all. What it is asked beyond its capacity waits; what it cannot be asked goes to the next. */
  get passable(): boolean {
    return this.circuit.canEnter()
  }

  /** Whether {@link enter} would succeed. When it would for a token of the rate limit alone, one is asked for. */
  canEnter(): boolean {
    return this.passable && this.#inFlight < this.capacity && (this.#limiter?.has() ?? true)
  }

  get health(): ProviderHealth {
    const { state, since, lastFailure } = this.circuit
    return { provider: this.provider.name, circuit: state, since, lastFailure }
  }

  /** Leave for one call, or `undefined`. */
  enter(): Permit | undefined {
    return this.canEnter() ? this.#enter() : undefined
  }

  /** The same for a delivery that another provider did not take. It is under way already, so the ramp does not turn it away. */
  enterAtOnce(): Permit | undefined {
    return (this.#limiter?.has() ?? true) ? this.#enter() : undefined
  }

  #enter(): Permit | undefined {
    const ticket = this.circuit.enter()
    if (ticket === undefined) return undefined
    const giveBack = this.#limiter?.take()
    this.#inFlight++
    return this.#permit(ticket, giveBack)
  }

  #permit(ticket: Ticket, giveBack: (() => void) | undefined): Permit {
    let open = true
    const end = () => {
      const ended = open
      open = false
      if (ended) this.#inFlight--
      return ended
    }
    return {
      provider: this.provider,
      settle: (outcome) => {
        if (!end()) throw new Error('a permit is for one call')
        return this.#settle(ticket, outcome)
      },
      release: () => {
        if (!end()) return
        this.circuit.cancel(ticket)
        giveBack?.()
      },
    }
  }

  #settle(ticket: Ticket, outcome: Outcome): Settlement {
    const before = this.circuit.state
    const settlement = this.circuit.settle(ticket, outcome)
    if (before !== 'closed' && this.circuit.state === 'closed') this.#ramp.restart()
    if (outcome.class === 'sent' || outcome.class === 'rejected') this.#ramp.succeeded()
    return settlement
  }
}
