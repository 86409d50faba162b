import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FailureClass } from '../../../core/notification/failure.ts'
import type { Outcome } from '../../../core/providers/provider.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Circuit, type CircuitSettings, type Ticket } from './circuit.ts'

const settings: CircuitSettings = {
  run: 5,
  sample: 20,
  window: 60_000,
  cooldown: { first: 1_000, longest: 8_000 },
  authCooldown: { first: 30_000, longest: 60_000 },
}
const sent: Outcome = { class: 'sent' }
const failed = (failure: FailureClass, retryAfter?: number): Outcome => ({
  class: failure,
  detail: '',
  ...(retryAfter !== undefined && { retryAfter }),
})

function world() {
  const clock = manualClock()
  const circuit = new Circuit({ clock, settings })
  const call = (outcome: Outcome) => circuit.settle(circuit.enter()!, outcome)
  return { clock, circuit, call }
}

describe('Circuit', () => {
  it('opens on a run of failures, lets one probe through after the cool-down, and closes on its success', () => {
    const { clock, circuit, call } = world()
    for (let count = 0; count < 4; count++) call(failed('not_sent'))
    expect(circuit.state).toBe('closed')
    expect(call(failed('maybe_sent'))).toMatchObject({ blame: 'delivery', openFor: 1_000 })
    expect(circuit.state).toBe('open')
    clock.advance(999)
    expect(circuit.enter()).toBeUndefined()
    clock.advance(1)
    expect(circuit.state).toBe('half_open')
    const probe = circuit.enter()!
    expect(circuit.enter()).toBeUndefined()
    circuit.settle(probe, sent)
    expect(circuit.state).toBe('closed')
    expect(circuit.enter()).toBeDefined()
  })

  it('G3: costs as many attempts as it takes to open, and no more, whatever is in flight when an outage is met at the start', () => {
    const { clock, circuit } = world()
    const blames: string[] = []
    for (const round of [100, 1, 1]) {
      const tickets = Array.from({ length: round }, () => circuit.enter()!)
      blames.push(...tickets.map((ticket) => circuit.settle(ticket, failed('not_sent')).blame))
      clock.advance(8_000)
    }
    expect(blames.filter((blame) => blame === 'delivery')).toHaveLength(5)
  })

  it('opens when half of a full sample failed, and forgets what is older than its window', () => {
    const { clock, circuit, call } = world()
    for (let count = 0; count < 9; count++) [failed('not_sent'), sent].forEach(call)
    call(sent)
    expect(circuit.state).toBe('closed')
    call(failed('not_sent'))
    expect(circuit.state).toBe('open')

    const other = world()
    for (let count = 0; count < 20; count++) {
      other.call(failed('not_sent'))
      other.clock.advance(15_001)
    }
    expect(other.circuit.state).toBe('closed')
    expect(clock.now()).toBeLessThan(other.clock.now())
  })

  it('stays open twice as long after each probe that fails, up to a bound, and starts over after a success', () => {
    const { clock, circuit, call } = world()
    for (let count = 0; count < 5; count++) call(failed('not_sent'))
    const waits = [1, 2, 3, 4, 5].map(() => {
      clock.advance(circuit.openFor)
      return call(failed('not_sent')).openFor
    })
    expect(waits).toEqual([2_000, 4_000, 8_000, 8_000, 8_000])
    clock.advance(8_000)
    call(sent)
    for (let count = 0; count < 5; count++) call(failed('not_sent'))
    expect(circuit.openFor).toBe(1_000)
  })

  it('opens at once and for longer when credentials are refused', () => {
    const { circuit, call } = world()
    expect(call(failed('auth')).openFor).toBe(30_000)
    expect(circuit.lastFailure).toBe('auth')
  })

  it('opens for exactly the time that "too many" asks for, and calls that no failure', () => {
    const { clock, circuit, call } = world()
    const early = circuit.enter()!
    expect(call(failed('rate_limited', 7_000)).openFor).toBe(7_000)
    expect(circuit.settle(early, failed('rate_limited', 3_000)).openFor).toBe(7_000)
    expect(circuit.lastFailure).toBeNull()
    clock.advance(7_000)
    expect(circuit.state).toBe('half_open')
    call(sent)
    for (let count = 0; count < 100; count++) call(failed('rate_limited'))
    for (let count = 0; count < 100; count++) call(failed('rejected'))
    expect(circuit.state).toBe('closed')
  })

  it('blames the outage, not the delivery, for what fails after it opened and for its probe', () => {
    const { clock, circuit, call } = world()
    const early = Array.from({ length: 3 }, () => circuit.enter()!)
    for (let count = 0; count < 5; count++) expect(call(failed('not_sent')).blame).toBe('delivery')
    expect(circuit.settle(early[0]!, failed('not_sent'))).toMatchObject({ blame: 'outage', openFor: 1_000 })
    clock.advance(1_000)
    // What began before the outage does not answer for the probe, whatever it came to.
    const probe = circuit.enter()!
    circuit.settle(early[1]!, sent)
    expect(circuit.state).toBe('half_open')
    expect(circuit.settle(probe, failed('not_sent'))).toEqual({
      blame: 'outage',
      openFor: 2_000,
      outFor: 1_000,
    })
    clock.advance(2_000)
    expect(call(failed('maybe_sent')).blame).toBe('delivery')
    clock.advance(4_000)
    call(sent)
    expect(circuit.settle(early[2]!, failed('maybe_sent')).blame).toBe('outage')
    expect(circuit.clean).toBe(true)
  })

  it('gives the probe to the next when it was not made', () => {
    const { clock, circuit, call } = world()
    call(failed('auth'))
    clock.advance(30_000)
    const probe = circuit.enter()!
    expect(circuit.enter()).toBeUndefined()
    circuit.cancel(probe)
    expect(circuit.enter()).toBeDefined()
  })

  it('under any history lets nothing through while open, one probe at a time after, and is never stuck', () => {
    const outcome = fc.oneof(
      fc.constant(sent),
      fc
        .tuple(
          fc.constantFrom<FailureClass>('not_sent', 'maybe_sent', 'auth', 'rejected', 'rate_limited'),
          fc.option(fc.nat(10_000), { nil: undefined }),
        )
        .map(([failure, retryAfter]) => failed(failure, retryAfter)),
    )
    const step = fc.oneof(
      fc.record({ kind: fc.constant('enter' as const) }),
      fc.record({ kind: fc.constant('settle' as const), index: fc.nat(20), outcome }),
      fc.record({ kind: fc.constant('cancel' as const), index: fc.nat(20) }),
      fc.record({ kind: fc.constant('advance' as const), by: fc.nat(40_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { clock, circuit } = world()
        const out: Ticket[] = []
        const probes = () => out.filter(({ probe, generation }) => probe && generation === latest).length
        let latest = 0
        for (const action of steps) {
          const before = circuit.state
          if (action.kind === 'advance') clock.advance(action.by)
          else if (action.kind === 'enter') {
            const ticket = circuit.enter()
            if (before === 'open') expect(ticket).toBeUndefined()
            if (before === 'closed') expect(ticket).toMatchObject({ probe: false })
            if (ticket === undefined) continue
            latest = Math.max(latest, ticket.generation)
            out.push(ticket)
            if (before === 'half_open') expect(probes()).toBe(1)
          } else {
            const [ticket] = out.splice(action.index % Math.max(1, out.length), 1)
            if (ticket === undefined) continue
            if (action.kind === 'cancel') circuit.cancel(ticket)
            else circuit.settle(ticket, action.outcome)
          }
        }
        for (const ticket of out) circuit.cancel(ticket)
        clock.advance(circuit.openFor)
        expect(circuit.enter()).toBeDefined()
      }),
    )
  })
})
