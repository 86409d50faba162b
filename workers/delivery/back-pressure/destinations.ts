import type { Clock } from '../../../core/clock.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import { Circuit, type CircuitSettings, type Settlement, type Ticket } from './circuit.ts'

/** Leave to call one destination. It ends with the first `settle` or `release`; a second `release` does nothing. */
export interface DestinationPass {
  /** Above 0, the destination must not be called for so many milliseconds. */
  heldFor: number
  /** Milliseconds for which it has not worked, while it must not be called. */
  outFor: number
  settle(outcome: Outcome): Settlement
  release(): void
}

/** Hosts are shared by strangers, and a credential belongs to one path of them: what it refuses is a failure like any other. */
const destinationCircuit: CircuitSettings = {
  run: 5,
  sample: 20,
  window: 60_000,
  cooldown: { first: 5_000, longest: 600_000 },
  authCooldown: undefined,
}

/** Milliseconds to look again while another delivery probes the destination. */
const probeWait = 1_000
/** Circuits kept at the most. The one that was used longest ago is forgotten first, and its destination is tried afresh. */
const maxDestinations = 1_000

const harmless: Settlement = { blame: 'delivery', openFor: 0, outFor: 0 }
const nowhere: DestinationPass = { heldFor: 0, outFor: 0, settle: () => harmless, release: () => {} }

/**
 * A circuit for each destination that fails, so that one bad destination is left alone and stops no other. Those that do well cost
 * nothing: their circuit is forgotten.
 */
export class Destinations {
  readonly #clock: Clock
  readonly #limit: number
  /** Least recently used first. */
  readonly #circuits = new Map<string, Circuit>()

  constructor({ clock, limit = maxDestinations }: { clock: Clock; limit?: number }) {
    this.#clock = clock
    this.#limit = limit
  }

  /** Circuits that are not closed. */
  get open(): number {
    let count = 0
    for (const { state } of this.#circuits.values()) if (state !== 'closed') count++
    return count
  }

  get known(): number {
    return this.#circuits.size
  }

  /** @param destination `host:port`; `undefined` where the provider itself is the destination */
  enter(destination: string | undefined): DestinationPass {
    if (destination === undefined) return nowhere
    const circuit = this.#circuits.get(destination)
    if (circuit !== undefined) this.#keep(destination, circuit)
    // A destination without a circuit gets one with its first failure, as if it had been there.
    const ticket = circuit === undefined ? { generation: 0, probe: false } : circuit.enter()
    if (ticket === undefined)
      return { ...nowhere, heldFor: circuit!.openFor || probeWait, outFor: circuit!.outFor }
    let open = true
    return {
      ...nowhere,
      settle: (outcome) => {
        open = false
        return this.#settle(destination, ticket, outcome)
      },
      release: () => {
        if (open) circuit?.cancel(ticket)
        open = false
      },
    }
  }

  #settle(destination: string, ticket: Ticket, outcome: Outcome): Settlement {
    const circuit =
      this.#circuits.get(destination) ?? new Circuit({ clock: this.#clock, settings: destinationCircuit })
    const settlement = circuit.settle(ticket, bounded(outcome))
    if (circuit.clean) this.#circuits.delete(destination)
    else this.#keep(destination, circuit)
    return settlement
  }

  #keep(destination: string, circuit: Circuit): void {
    this.#circuits.delete(destination)
    this.#circuits.set(destination, circuit)
    if (this.#circuits.size > this.#limit) this.#circuits.delete(this.#circuits.keys().next().value!)
  }
}

/** One URL may ask for a day; the strangers who share its host need not wait so long to be tried. */
function bounded(outcome: Outcome): Outcome {
  const { longest } = destinationCircuit.cooldown
  if (outcome.class !== 'rate_limited' || (outcome.retryAfter ?? 0) <= longest) return outcome
  return { ...outcome, retryAfter: longest }
}
