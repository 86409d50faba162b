import type { Clock, Timers } from '../../../core/clock.ts'
import type { Lane, Permit, ProviderHealth } from './lane.ts'

/**
 * Decides before every delivery whether it may start, and at which provider: the first in failover order whose circuit lets it through.
 * A provider that is merely busy, or at its rate limit, is waited for. While no circuit lets anything through nothing is
 * started: no claim is made and no attempt is spent, the order stays, and what is not started stays in Kafka.
 */
export class Admission {
  readonly #lanes: readonly Lane[]
  readonly #clock: Clock & Timers
  readonly #onOpening: () => void
  #callOff = () => {}
  #stopped = false

  /**
   * @param lanes in failover order
   * @param onOpening is called when something that was refused may be let through
   */
  constructor(options: { lanes: readonly Lane[]; clock: Clock & Timers; onOpening: () => void }) {
    this.#lanes = options.lanes
    this.#clock = options.clock
    this.#onOpening = options.onOpening
  }

  /** Whether {@link enter} would succeed now. When not, `onOpening` will say when to ask again, or the end of a call does. */
  canEnter(): boolean {
    const lane = this.#first()
    if (lane === undefined) this.#await()
    return lane?.canEnter() ?? false
  }

  enter(): Permit | undefined {
    return this.#first()?.enter()
  }

  /** Leave to fail over, at once or not at all: to the next provider after one that did not take a message. */
  enterAfter(permit: Permit): Permit | undefined {
    const index = this.#lanes.findIndex(({ provider }) => provider === permit.provider)
    for (const lane of this.#lanes.slice(index + 1)) {
      const next = lane.enterAtOnce()
      if (next !== undefined) return next
    }
    return undefined
  }

  /** Deliveries that may be in flight at present. */
  get capacity(): number {
    return this.#first()?.capacity ?? 0
  }

  /** Whether the circuit of the provider that is next to be asked is closed. */
  get isClosed(): boolean {
    return this.#first()?.circuit.state === 'closed'
  }

  get health(): ProviderHealth[] {
    return this.#lanes.map(({ health }) => health)
  }

  stop(): void {
    this.#stopped = true
    this.#callOff()
  }

  #first(): Lane | undefined {
    return this.#lanes.find(({ passable }) => passable)
  }

  /** Wakes whoever waits when the first cool-down ends. A circuit whose probe is out is judged by that probe's end. */
  #await(): void {
    this.#callOff()
    const waits = this.#lanes.map(({ circuit }) => circuit.openFor).filter((wait) => wait > 0)
    if (this.#stopped || waits.length === 0) return
    this.#callOff = this.#clock.after(Math.ceil(Math.min(...waits)), this.#onOpening)
  }
}
