import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../core/providers/provider.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Dispatcher } from '../dispatcher.ts'
import type { OpenedProvider } from '../providers.ts'
import { Admission } from './admission.ts'
import { Lane } from './lane.ts'

const sent: Outcome = { class: 'sent' }
const down: Outcome = { class: 'not_sent', detail: '' }

function provider(name: string, maxConcurrent = 64): OpenedProvider {
  const { send, close } = { send: async () => sent, close: async () => {} }
  return { name, timeout: 1_000, maxConcurrent, idempotency: 'key', provider: { send, close } }
}

function world(names: string[]) {
  const clock = manualClock()
  let openings = 0
  const lanes = names.map((name) => new Lane({ provider: provider(name), clock, limiter: undefined }))
  const admission = new Admission({ lanes, clock, onOpening: () => openings++ })
  const fail = (name: string, outcome = down) => {
    for (let count = 0; count < 5; count++) {
      const permit = admission.enter()!
      expect(permit.provider.name).toBe(name)
      permit.settle(outcome)
    }
  }
  return { clock, admission, fail, openings: () => openings }
}

describe('Admission', () => {
  it('takes the next provider in order while one is out, probes that one, and goes back to it', () => {
    const { clock, admission, fail } = world(['first', 'second'])
    fail('first')
    expect(admission.enter()!.provider.name).toBe('second')
    clock.advance(1_000)
    const probe = admission.enter()!
    expect(probe.provider.name).toBe('first')
    expect(admission.enter()!.provider.name).toBe('second')
    probe.settle(sent)
    expect(admission.enter()!.provider.name).toBe('first')
  })

  it('lets nothing start while every provider is out, and says when one may be probed', () => {
    const { clock, admission, fail, openings } = world(['first', 'second'])
    fail('first')
    fail('second')
    expect(admission.canEnter()).toBe(false)
    expect(admission.capacity).toBe(0)
    expect(admission.health).toMatchObject([
      { provider: 'first', circuit: 'open', lastFailure: 'not_sent' },
      { provider: 'second', circuit: 'open', lastFailure: 'not_sent' },
    ])
    clock.advance(999)
    expect(openings()).toBe(0)
    clock.advance(1)
    expect(openings()).toBe(1)
    expect(admission.capacity).toBe(1)
    expect(admission.enter()!.provider.name).toBe('first')
  })

  it('fails over only forwards, and only to a provider that may be asked', () => {
    const { admission } = world(['first', 'second', 'third'])
    const [one, two] = [admission.enter()!, admission.enter()!]
    one.settle({ class: 'auth', detail: '' })
    const next = admission.enterAfter(one)!
    expect(next.provider.name).toBe('second')
    next.settle({ class: 'auth', detail: '' })
    two.settle(down)
    const last = admission.enterAfter(two)!
    expect(last.provider.name).toBe('third')
    expect(admission.enterAfter(last)).toBeUndefined()
  })

  it('fails over also what the ramp of the next provider would let start later', () => {
    const clock = manualClock()
    const names = ['first', 'second']
    const lanes = names.map((name) => new Lane({ provider: provider(name, 8), clock, limiter: undefined }))
    const admission = new Admission({ lanes, clock, onOpening: () => {} })
    for (let count = 0; count < 7; count++) admission.enter()!.settle(sent)
    const permits = Array.from({ length: 8 }, () => admission.enter()!)
    const moved = permits.map((permit) => (permit.settle(down), admission.enterAfter(permit)))
    expect(moved.map((permit) => permit?.provider.name)).toEqual(Array(8).fill('second'))
  })

  it('starts with a part of what a provider may have in flight, and after an outage with one; each success adds one', () => {
    const { clock, admission, fail } = world(['only'])
    const fill = () => {
      const permits = []
      while (admission.canEnter()) permits.push(admission.enter()!)
      return permits
    }
    const rounds: number[] = []
    const round = () => {
      const permits = fill()
      rounds.push(permits.length)
      for (const permit of permits) permit.settle(sent)
    }
    for (let count = 0; count < 5; count++) round()
    expect(rounds.splice(0)).toEqual([8, 16, 32, 64, 64])
    fail('only')
    clock.advance(1_000)
    for (let count = 0; count < 9; count++) round()
    expect(rounds).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64])
  })

  it('takes a permit back once, and never lets a call be judged twice', () => {
    const { admission } = world(['only'])
    const permit = admission.enter()!
    permit.release()
    permit.release()
    expect(() => permit.settle(sent)).toThrow('one call')
  })

  it('stops a dispatcher and starts it again: order kept, nothing run while the circuit is open', async () => {
    const clock = manualClock()
    const lane = new Lane({ provider: provider('only', 8), clock, limiter: undefined })
    const admission: Admission = new Admission({ lanes: [lane], clock, onOpening: () => dispatcher.wake() })
    const dispatcher: Dispatcher = new Dispatcher({
      concurrency: 8,
      clock,
      mayStart: () => admission.canEnter(),
    })
    let isDown = true
    const ran: number[] = []
    const attempt = async (index: number) => {
      const permit = admission.enter()!
      await Promise.resolve()
      ran.push(index)
      permit.settle(isDown ? down : sent)
      return { kind: 'done' } as const
    }
    for (let index = 0; index < 30; index++) {
      dispatcher.enqueue({ key: String(index), abandoned: () => false, run: () => attempt(index) })
    }
    await expect.poll(() => admission.capacity).toBe(0)
    const tripped = ran.length
    expect(tripped).toBe(5)
    expect(dispatcher.running).toBe(0)
    isDown = false
    clock.advance(1_000)
    await expect.poll(() => ran.length).toBe(30)
    expect(ran).toEqual(ran.toSorted((a, b) => a - b))
  })
})
