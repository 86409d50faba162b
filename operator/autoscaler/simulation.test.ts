import { describe, expect, it } from 'vitest'
import { decide, initialState, type ScalingReason } from './decide.ts'
import type { LagReading, ScalingPolicy } from './inputs.ts'

/** A channel in virtual time: what arrives, workers that take a while to start, and a rebalance at every change. */
interface World {
  policy: Partial<ScalingPolicy>
  partitions: number
  /** Records per second at a second. */
  arrivals: (second: number) => number
  /** Of all records the share that goes to the first partition; evenly when absent. */
  hot?: number
  /** Whether the provider takes messages. */
  isUp?: (second: number) => boolean
  /** Whether the lag can be read. */
  isVisible?: (second: number) => boolean
  seconds: number
}

interface Moment {
  second: number
  replicas: number
  lag: number
  reason: ScalingReason
}

/** Deliveries per second of one worker; seconds until a pod works; seconds for which a rebalance stops the group. */
const capacity = 50
const podStart = 8
const rebalance = 3
const interval = 5

function simulate({ policy, partitions, arrivals, hot, isUp, isVisible, seconds }: World): Moment[] {
  const full: ScalingPolicy = {
    minReplicas: 1,
    maxReplicas: 12,
    lagThreshold: 500,
    targetDrain: 60_000,
    idleAfter: 300_000,
    fallback: { replicas: 2, after: 180_000 },
    ...policy,
  }
  const backlog = Array.from({ length: partitions }, () => 0)
  let replicas = full.minReplicas
  let working = replicas
  let workingFrom = 0
  let state = initialState(0)
  let measured: number | undefined
  const history: Moment[] = []
  const inflow: number[] = []
  for (let second = 0; second < seconds; second++) {
    const arrived = arrivals(second)
    inflow.push(arrived)
    const toFirst = hot === undefined ? arrived / partitions : arrived * hot
    backlog.forEach(
      (_, index) =>
        (backlog[index]! += index === 0 ? toFirst : (arrived - toFirst) / Math.max(1, partitions - 1)),
    )
    if (second >= workingFrom) working = replicas
    const stands = second < workingFrom && second >= workingFrom - rebalance
    if (!stands && (isUp?.(second) ?? true) && working > 0) {
      for (let worker = 0; worker < working; worker++) {
        let left = capacity
        for (let index = worker; index < partitions; index += working) {
          const done = Math.min(left, backlog[index]!)
          backlog[index]! -= done
          left -= done
        }
      }
      measured = capacity
    }
    if (second % interval !== 0) continue
    const due = Math.round(backlog.reduce((sum, records) => sum + records, 0))
    const recent = inflow.slice(-60)
    const lag: LagReading = {
      due,
      partitionsWithLag: backlog.filter((records) => records >= 1).length,
      inflow: recent.reduce((sum, records) => sum + records, 0) / recent.length,
    }
    const decision = decide(
      state,
      {
        policy: full,
        suspended: false,
        partitions,
        current: replicas,
        lag: (isVisible?.(second) ?? true) ? lag : undefined,
        capacity: measured,
        paused: !(isUp?.(second) ?? true),
        providerRate: undefined,
      },
      second * 1000,
    )
    state = decision.state
    if (decision.replicas !== replicas) {
      workingFrom = second + (decision.replicas > replicas ? podStart : 0) + rebalance
      replicas = decision.replicas
    }
    history.push({ second, replicas, lag: due, reason: decision.reason })
  }
  return history
}

const changes = (history: readonly Moment[]) =>
  history.filter(({ replicas }, index) => index > 0 && replicas !== history[index - 1]!.replicas).length
const most = (history: readonly Moment[]) => Math.max(...history.map(({ replicas }) => replicas))
const between = (history: readonly Moment[], from: number, to: number) =>
  history.filter(({ second }) => second >= from && second < to)
const hour = 3_600

describe('a channel under', () => {
  it('a step: catches up within minutes, stays, and comes back to the minimum', () => {
    const history = simulate({
      policy: {},
      partitions: 12,
      arrivals: (second) => (second >= 600 && second < 2_400 ? 300 : 5),
      seconds: 2 * hour,
    })
    expect(Math.max(...between(history, 600 + 300, 2_400).map(({ lag }) => lag))).toBeLessThan(300 * 60)
    expect(new Set(between(history, 1_500, 2_400).map(({ replicas }) => replicas)).size).toBe(1)
    expect(history.at(-1)).toMatchObject({ replicas: 1 })
    expect(changes(history)).toBeLessThanOrEqual(14)
  })

  it('a ramp: follows it with room to spare', () => {
    const history = simulate({
      policy: {},
      partitions: 12,
      arrivals: (second) => (second * 400) / hour,
      seconds: hour,
    })
    expect(Math.max(...history.map(({ lag }) => lag))).toBeLessThan(400 * 30)
    expect(changes(history)).toBeLessThanOrEqual(10)
  })

  it('a wave: is not torn up and down by it', () => {
    const history = simulate({
      policy: {},
      partitions: 12,
      arrivals: (second) => 200 + 150 * Math.sin((second / 240) * 2 * Math.PI),
      seconds: 2 * hour,
    })
    expect(changes(between(history, 900, 2 * hour))).toBeLessThanOrEqual(4)
    expect(Math.max(...between(history, 900, 2 * hour).map(({ lag }) => lag))).toBeLessThan(350 * 60)
  })

  it('a burst: works it off, and does not stay large', () => {
    const history = simulate({
      policy: {},
      partitions: 12,
      arrivals: (second) => (second === 600 ? 30_000 : 2),
      seconds: hour,
    })
    expect(between(history, 600 + 240, hour)[0]!.lag).toBeLessThan(500)
    expect(history.at(-1)).toMatchObject({ replicas: 1 })
  })

  it('a hot partition: does not start workers that would stand by', () => {
    const history = simulate({ policy: {}, partitions: 12, arrivals: () => 40, hot: 1, seconds: hour })
    expect(most(history)).toBeLessThanOrEqual(2)
    const flooded = simulate({
      policy: {},
      partitions: 12,
      arrivals: (second) => (second === 60 ? 20_000 : 0),
      hot: 1,
      seconds: hour,
    })
    expect(most(flooded)).toBeLessThanOrEqual(2)
  })

  it('an outage of the provider: adds nobody meanwhile, and catches up after it', () => {
    const history = simulate({
      policy: {},
      partitions: 12,
      arrivals: () => 40,
      isUp: (second) => second < 600 || second >= 1_500,
      seconds: hour,
    })
    const before = between(history, 500, 600).at(-1)!.replicas
    expect(most(between(history, 600, 1_500))).toBe(before)
    expect(between(history, 1_500 + 420, hour)[0]!.lag).toBeLessThan(40 * 30)
  })

  it('a blackout of its metrics: holds, then falls back, and never goes to zero', () => {
    const history = simulate({
      policy: { minReplicas: 0 },
      partitions: 12,
      arrivals: () => 40,
      isVisible: (second) => second < 600 || second >= 1_800,
      seconds: hour,
    })
    const dark = between(history, 600, 1_800)
    expect(Math.min(...dark.map(({ replicas }) => replicas))).toBeGreaterThan(0)
    expect(dark.at(-1)!.reason).toBe('Fallback')
    expect(changes(dark)).toBeLessThanOrEqual(1)
  })

  it('silence, when it may sleep: goes to zero, and wakes within one look for what comes', () => {
    const history = simulate({
      policy: { minReplicas: 0, idleAfter: 60_000 },
      partitions: 12,
      arrivals: (second) => (second >= 1_800 && second < 1_810 ? 10 : 0),
      seconds: hour,
    })
    expect(between(history, 900, 1_800).every(({ replicas }) => replicas === 0)).toBe(true)
    expect(between(history, 1_800, 1_810).at(-1)).toMatchObject({ replicas: 1 })
    expect(between(history, 1_860, 1_870)[0]!.lag).toBe(0)
    expect(history.at(-1)).toMatchObject({ replicas: 0, reason: 'Idle' })
  })

  it('a steady load: never changes once it has settled', () => {
    for (const load of [10, 45, 130, 400]) {
      const history = simulate({ policy: {}, partitions: 12, arrivals: () => load, seconds: 2 * hour })
      expect(changes(between(history, 1_200, 2 * hour))).toBe(0)
    }
  })
})
