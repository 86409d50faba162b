import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../core/providers/provider.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Destinations } from './destinations.ts'

const sent: Outcome = { class: 'sent' }
const down: Outcome = { class: 'not_sent', detail: '' }

function world(limit?: number) {
  const clock = manualClock()
  const destinations = new Destinations({ clock, ...(limit !== undefined && { limit }) })
  const call = (name: string, outcome: Outcome) => destinations.enter(name).settle(outcome)
  const fail = (name: string) => {
    for (let count = 0; count < 5; count++) call(name, down)
  }
  return { clock, destinations, call, fail }
}

describe('G5: Destinations', () => {
  it('leaves a destination alone that keeps failing, and no other', () => {
    const { clock, destinations, fail } = world()
    fail('bad:443')
    expect(destinations.enter('bad:443').heldFor).toBe(5_000)
    expect(destinations.enter('good:443').heldFor).toBe(0)
    expect(destinations.open).toBe(1)
    clock.advance(5_000)
    const probe = destinations.enter('bad:443')
    expect(probe.heldFor).toBe(0)
    expect(destinations.enter('bad:443').heldFor).toBeGreaterThan(0)
    probe.settle(sent)
    expect(destinations.enter('bad:443').heldFor).toBe(0)
  })

  it('knows how long a destination has been out, through all the short waits that it asks for', () => {
    const { clock, destinations, call } = world()
    const busy: Outcome = { class: 'rate_limited', detail: '', retryAfter: 2_000 }
    for (let count = 0; count < 5; count++) {
      expect(call('busy:443', busy)).toMatchObject({ openFor: 2_000, outFor: count * 2_000 })
      clock.advance(2_000)
    }
    call('busy:443', sent)
    expect(call('busy:443', busy).outFor).toBe(0)
    expect(destinations.enter('busy:443')).toMatchObject({ heldFor: 2_000, outFor: 0 })
  })

  it('is tried again after ten minutes, however long one of its URLs asks to be left alone', () => {
    const { destinations, call } = world()
    call('shared:443', { class: 'rate_limited', detail: '', retryAfter: 86_400_000 })
    expect(destinations.enter('shared:443').heldFor).toBe(600_000)
  })

  it('lets another delivery probe when one did not', () => {
    const { clock, destinations, fail } = world()
    fail('bad:443')
    clock.advance(5_000)
    destinations.enter('bad:443').release()
    expect(destinations.enter('bad:443').heldFor).toBe(0)
  })

  it('keeps nothing of destinations that do well, and a bounded number of those that do not', () => {
    const { destinations, call, fail } = world(3)
    for (let index = 0; index < 100; index++) call(`good-${index}:443`, sent)
    expect(destinations.known).toBe(0)
    fail('bad-0:443')
    for (let index = 1; index < 3; index++) call(`bad-${index}:443`, down)
    call('bad-0:443', down)
    call('bad-3:443', down)
    expect(destinations.known).toBe(3)
    expect(destinations.enter('bad-0:443').heldFor).toBeGreaterThan(0)
  })

  it('has none for a channel whose provider is the destination', () => {
    const { destinations } = world()
    expect(destinations.enter(undefined).settle(down)).toMatchObject({ blame: 'delivery', openFor: 0 })
    expect(destinations.known).toBe(0)
  })
})
