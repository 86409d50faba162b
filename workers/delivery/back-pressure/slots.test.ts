import { describe, expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Admission } from './admission.ts'
import { ClaimAhead } from './claim-ahead.ts'
import { Lane, type Permit } from './lane.ts'
import { claimPatience, type Place, Slots } from './slots.ts'
import { Throughput } from './throughput.ts'

const wanted = () => false

/** Two slots before one provider, which are as long in a call as a claim takes. */
function world({ ahead = new ClaimAhead(), has = (): boolean => true } = {}) {
  const clock = manualClock()
  const provider = { send: async () => ({ class: 'sent' }) as const, close: async () => {} }
  const opened = { name: 'only', timeout: 1_000, maxConcurrent: 20, idempotency: 'key', provider } as const
  const limiter = { has, take: () => () => {}, stop: () => {} }
  const lane = new Lane({ provider: opened, clock, limiter })
  const admission = new Admission({ lanes: [lane], clock, onOpening: () => slots.wake() })
  const throughput = new Throughput({ slots: 2, clock })
  let asked = 0
  const slots: Slots = new Slots({
    concurrency: 2,
    pressure: {
      canEnter: () => admission.canEnter(),
      enter: () => admission.enter(),
      capacity: () => admission.capacity,
      isClosed: () => admission.isClosed,
    },
    ahead,
    throughput,
    clock,
    onFree: () => asked++,
  })
  for (let count = 0; count < 100; count++) {
    ahead.claimed(20)
    ahead.called(20)
  }
  /** Begins, and claims at once. */
  const begin = (abandoned = wanted) => {
    expect(slots.mayBegin()).toBe(true)
    const place = slots.begin(abandoned)
    const began: Place & { permit: Permit | undefined | 'waits' } = { ...place, permit: 'waits' }
    void place.enter().then((permit) => (began.permit = permit))
    return began
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  return { clock, lane, slots, throughput, begin, turn, asked: () => asked }
}

/** Four of them: two with slots, and two that wait. */
async function full(options?: Parameters<typeof world>[0]) {
  const all = world(options)
  const [first, second] = [all.begin(), all.begin()]
  const [third, fourth] = [all.begin(), all.begin()]
  await all.turn()
  return { ...all, first, second, third, fourth }
}

describe('Slots', () => {
  it('begins as many more as slots become free during a claim, and gives them slots as they came', async () => {
    const { slots, first, second, third, fourth, begin, turn, asked } = await full()
    expect([first.permit, second.permit]).toMatchObject([{ provider: {} }, { provider: {} }])
    expect([third.permit, fourth.permit]).toEqual(['waits', 'waits'])
    expect([slots.busy, slots.mayBegin()]).toEqual([2, false])
    second.free()
    await turn()
    expect(third.permit).toMatchObject({ provider: { name: 'only' } })
    expect(fourth.permit).toBe('waits')
    expect(slots.busy).toBe(2)
    expect(asked()).toBe(1)
    // A place that is free is free once.
    second.end(true)
    expect(slots.busy).toBe(2)
    const fifth = begin()
    first.end(true)
    third.end(true)
    await turn()
    expect([fourth.permit, fifth.permit]).toMatchObject([{ provider: {} }, { provider: {} }])
  })

  it('counts what it gave back, or never had, for nothing', async () => {
    const { slots, throughput, clock, third, fourth, first, second } = await full()
    third.end(false)
    fourth.end(true)
    clock.advance(1_000)
    first.free()
    second.end(false)
    expect(slots.busy).toBe(0)
    expect(throughput.sample()).toMatchObject({ rate: 1, busy: 2 })
  })

  it.each([
    [20, 20, 3],
    [1, 2_000, 0],
    [2_000, 1, 4],
  ])('claims of %s ms and calls of %s ms: %s ahead of two slots', async (claim, call, expected) => {
    const ahead = new ClaimAhead()
    expect(ahead.limit(2)).toBe(0)
    for (let count = 0; count < 100; count++) {
      ahead.claimed(claim)
      ahead.called(call)
    }
    expect(ahead.limit(2)).toBe(expected)
  })

  it('begins none ahead while a slot is free and only a token is missing', () => {
    let tokens = 1
    const { slots, begin } = world({ has: () => tokens > 0 })
    begin()
    tokens = 0
    expect(slots.mayBegin()).toBe(false)
  })

  it('lets all go that wait when the circuit opens, and begins none', async () => {
    const { slots, lane, third, fourth, turn } = await full()
    for (let count = 0; count < 5; count++)
      lane.circuit.settle({ generation: 0, probe: false }, { class: 'not_sent', detail: '' })
    slots.wake()
    await turn()
    expect([third.permit, fourth.permit]).toEqual([undefined, undefined])
    third.end(false)
    fourth.end(false)
    expect(slots.mayBegin()).toBe(false)
  })

  it('lets those go whose partition is lost, and all when it stops', async () => {
    const all = world()
    const begun = [all.begin(), all.begin()]
    let lost = false
    const third = all.begin(() => lost)
    const fourth = all.begin()
    lost = true
    all.slots.dropAbandoned()
    await all.turn()
    expect([third.permit, fourth.permit]).toEqual([undefined, 'waits'])
    third.end(false)
    const fifth = all.slots.begin(wanted)
    all.slots.stop()
    await all.turn()
    expect(fourth.permit).toBeUndefined()
    // Also what was under way to the ledger then.
    expect(await fifth.enter()).toBeUndefined()
    expect(begun[0]!.permit).toMatchObject({ provider: {} })
  })

  it('lets go what waited too long, also after a pause of the process, and claims less ahead then', async () => {
    const ahead = new ClaimAhead()
    const { clock, first, third, fourth, turn } = await full({ ahead })
    const before = ahead.limit(100)
    clock.advance(claimPatience - 1)
    await turn()
    expect(third.permit).toBe('waits')
    clock.advance(1)
    first.free()
    await turn()
    expect([third.permit, fourth.permit]).toEqual([undefined, undefined])
    expect(ahead.limit(100)).toBeLessThan(before)
  })
})
