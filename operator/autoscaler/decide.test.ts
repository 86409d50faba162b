import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, initialState, type ScalingState } from './decide.ts'
import type { ScalingInputs } from './inputs.ts'
import { usefulReplicas } from './wanted.ts'

const policy = {
  minReplicas: 1,
  maxReplicas: 10,
  lagThreshold: 500,
  targetDrain: 60_000,
  idleAfter: 300_000,
  fallback: { replicas: 2, after: 180_000 },
}
const quiet = { due: 0, partitionsWithLag: 0, inflow: 0 }
const base: ScalingInputs = {
  policy,
  suspended: false,
  partitions: 12,
  current: 1,
  lag: quiet,
  capacity: 10,
  paused: false,
  providerRate: undefined,
}
/** Long after the start, with nothing remembered that would hold a change back. */
const settled: ScalingState = { ...initialState(0), lastActiveAt: 0 }
const later = 3_600_000
const at = (change: Partial<ScalingInputs>, state = settled, now = later) => {
  const { replicas, reason } = decide(state, { ...base, ...change }, now)
  return [replicas, reason]
}

describe('decide', () => {
  it.each<[string, Partial<ScalingInputs>, [number, string]]>([
    ['nothing to do', {}, [1, 'Steady']],
    ['what one worker can do', { lag: { ...quiet, inflow: 7 } }, [1, 'Steady']],
    ['more than one can do', { lag: { ...quiet, inflow: 14 } }, [2, 'ScaledUp']],
    ['a backlog to be worked off in a minute', { lag: { ...quiet, due: 1_350 } }, [3, 'ScaledUp']],
    [
      'a backlog before anything was measured',
      { capacity: undefined, lag: { ...quiet, due: 1_100 } },
      [3, 'ScaledUp'],
    ],
    ['far too little: one step', { lag: { ...quiet, due: 100_000 } }, [4, 'ScaledUp']],
    ['far too little with many', { current: 4, lag: { ...quiet, due: 100_000 } }, [6, 'ScaledUp']],
    ['no more than partitions', { partitions: 3, current: 3, lag: { ...quiet, due: 1e6 } }, [3, 'AtMaximum']],
    [
      'no more than the provider takes',
      { providerRate: 15, current: 2, lag: { ...quiet, due: 1e6 } },
      [2, 'AtMaximum'],
    ],
    [
      'a backlog of one partition',
      { lag: { ...quiet, due: 1e6, partitionsWithLag: 1 } },
      [1, 'HotPartition'],
    ],
    ['workers that change nothing for the busiest', { current: 8, partitions: 12 }, [6, 'ScaledDown']],
    ['more than the channel allows', { current: 12 }, [10, 'OutOfBounds']],
    ['fewer than it asks for', { policy: { ...policy, minReplicas: 3 } }, [3, 'OutOfBounds']],
    [
      'while no provider takes messages',
      { paused: true, lag: { ...quiet, due: 1e6 } },
      [1, 'ProviderPaused'],
    ],
    ['while suspended', { suspended: true, lag: { ...quiet, due: 1e6 } }, [0, 'Suspended']],
  ])('%s', (_what, change, expected) => {
    expect(at(change)).toEqual(expected)
  })

  it('never takes an unreadable lag for none', () => {
    const asleep = { policy: { ...policy, minReplicas: 0 }, lag: undefined }
    const blind = { ...settled, lastReadAt: later }
    expect(at({ ...asleep, current: 5 }, blind)).toEqual([5, 'LagUnreadable'])
    expect(at({ ...asleep, current: 5 }, blind, later + 200_000)).toEqual([5, 'Fallback'])
    expect(at({ ...asleep, current: 0 }, blind, later + 200_000)).toEqual([2, 'Fallback'])
  })

  it('sleeps once idle for long enough, and wakes for what comes', () => {
    const sleeper = { policy: { ...policy, minReplicas: 0 } }
    const state = { ...settled, lastActiveAt: later - 299_000 }
    expect(at(sleeper, state)).toEqual([1, 'Steady'])
    expect(at(sleeper, state, later + 1_000)).toEqual([0, 'Idle'])
    expect(at({ ...sleeper, current: 0 })).toEqual([0, 'Idle'])
    expect(at({ ...sleeper, current: 0, lag: { ...quiet, due: 1 } })).toEqual([1, 'Woken'])
  })

  it('takes workers away only when few were enough for a while, one in four at a time', () => {
    const busy = { ...settled, wanted: [{ at: later - 200_000, replicas: 8 }] }
    expect(at({ current: 8, partitions: 16 }, busy)).toEqual([8, 'Stabilizing'])
    expect(at({ current: 10, policy: { ...policy, maxReplicas: 12 }, partitions: 100 }, settled)).toEqual([
      8,
      'ScaledDown',
    ])
    expect(at({ current: 2 }, { ...settled, lastUpAt: later - 10_000 })).toEqual([2, 'CoolingDown'])
    expect(at({ current: 2 }, { ...initialState(later - 10_000) })).toEqual([2, 'Stabilizing'])
  })

  it('remembers what a worker can do when there is nothing to measure', () => {
    const { state } = decide(settled, { ...base, capacity: 50 }, later)
    expect(at({ capacity: undefined, lag: { ...quiet, inflow: 60 } }, state, later + 1)).toEqual([
      2,
      'ScaledUp',
    ])
  })
})

const inputs = fc.record({
  policy: fc
    .record({
      low: fc.nat(20),
      more: fc.integer({ min: 1, max: 30 }),
      lagThreshold: fc.integer({ min: 1, max: 5_000 }),
    })
    .map(({ low, more, lagThreshold }) => ({
      ...policy,
      minReplicas: low,
      maxReplicas: low + more,
      lagThreshold,
    })),
  suspended: fc.boolean(),
  partitions: fc.integer({ min: 1, max: 60 }),
  current: fc.nat(60),
  lag: fc.option(
    fc.record({
      due: fc.nat(1_000_000),
      partitionsWithLag: fc.nat(60),
      inflow: fc.double({ min: 0, max: 10_000, noNaN: true }),
    }),
    { nil: undefined },
  ),
  capacity: fc.option(fc.double({ min: 0.01, max: 1_000, noNaN: true }), { nil: undefined }),
  paused: fc.boolean(),
  providerRate: fc.option(fc.double({ min: 0.01, max: 10_000, noNaN: true }), { nil: undefined }),
})

describe('whatever comes in', () => {
  it('stays within the bounds of channel and topic', () => {
    fc.assert(
      fc.property(inputs, (given) => {
        const { replicas } = decide(settled, given, later)
        expect(replicas).toBeGreaterThanOrEqual(0)
        expect(replicas).toBeLessThanOrEqual(Math.min(given.policy.maxReplicas, given.partitions))
        if (!given.suspended && given.policy.minReplicas > 0) expect(replicas).toBeGreaterThan(0)
      }),
    )
  })

  it('never goes down because it is blind, nor up because no provider takes messages', () => {
    fc.assert(
      fc.property(inputs, (given) => {
        const cap = Math.min(given.policy.maxReplicas, given.partitions)
        const inBounds = {
          ...given,
          suspended: false,
          providerRate: undefined,
          current: Math.min(Math.max(given.current, given.policy.minReplicas), cap),
        }
        expect(decide(settled, { ...inBounds, lag: undefined }, later).replicas).toBeGreaterThanOrEqual(
          inBounds.current,
        )
        if (inBounds.current > 0 && inBounds.lag !== undefined)
          expect(decide(settled, { ...inBounds, paused: true }, later).replicas).toBeLessThanOrEqual(
            inBounds.current,
          )
      }),
    )
  })

  it('wants no fewer workers for more lag', () => {
    fc.assert(
      fc.property(inputs, fc.nat(100_000), (given, more) => {
        const lag = given.lag ?? quiet
        const less = decide(settled, { ...given, lag }, later).replicas
        expect(
          decide(settled, { ...given, lag: { ...lag, due: lag.due + more } }, later).replicas,
        ).toBeGreaterThanOrEqual(less)
      }),
    )
  })

  it('has no worker that changes nothing for the busiest one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        (replicas, partitions) => {
          const useful = usefulReplicas(replicas, partitions)
          const share = (count: number) => Math.ceil(partitions / Math.min(count, partitions))
          expect(share(useful)).toBe(share(replicas))
          expect(useful).toBeLessThanOrEqual(replicas)
          if (useful > 1) expect(share(useful - 1)).toBeGreaterThan(share(useful))
        },
      ),
    )
  })
})
