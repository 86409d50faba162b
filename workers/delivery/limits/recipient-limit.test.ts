import { describe, expect, it } from 'vitest'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { createRecipientLimit } from './recipient-limit.ts'
import type { SharedLimits } from './shared-limits.ts'

const rate = { limit: 2, interval: 60_000 }

describe('the limit of a recipient', () => {
  it('admits so many in an interval, each of them once, and one recipient apart from another', async () => {
    const clock = manualClock()
    const admit = createRecipientLimit({ name: 'c', rate, shared: undefined, clock })
    expect(await admit('ada', '1')).toBe(true)
    expect(await admit('ada', '1')).toBe(true)
    clock.advance(30_000)
    expect(await admit('ada', '2')).toBe(true)
    expect(await admit('ada', '3')).toBe(false)
    expect(await admit('ada', '2')).toBe(true)
    expect(await admit('bob', '4')).toBe(true)
    clock.advance(30_000)
    expect(await admit('ada', '3')).toBe(true)
    expect(await admit('ada', '5')).toBe(false)
  })

  it('remembers a bounded number of recipients', async () => {
    const clock = manualClock()
    const admit = createRecipientLimit({ name: 'c', rate, shared: undefined, clock, capacity: 2 })
    for (const delivery of ['1', '2']) await admit('ada', delivery)
    for (const other of ['bob', 'eve']) await admit(other, '3')
    expect(await admit('ada', '4')).toBe(true)
  })

  it('takes the word of the shared log, and its own when that is away or fails', async () => {
    const clock = manualClock()
    const answers: (boolean | Error)[] = [false, new Error('gone'), true]
    let isReachable = true
    const shared = {
      reachable: () => isReachable,
      admit: async () => {
        const answer = answers.shift()
        if (answer instanceof Error) throw answer
        return answer!
      },
    } as Partial<SharedLimits> as SharedLimits
    const admit = createRecipientLimit({ name: 'c', rate, shared, clock })
    expect(await admit('ada', '1')).toBe(false)
    expect(await admit('ada', '2')).toBe(true)
    isReachable = false
    expect(await admit('ada', '3')).toBe(true)
    expect(await admit('ada', '4')).toBe(false)
    expect(answers).toEqual([true])
  })
})
