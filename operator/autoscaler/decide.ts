import type { ScalingInputs } from './inputs.ts'
import { capOf, usefulReplicas, wantedReplicas } from './wanted.ts'

/** What is remembered from one decision to the next. */
export interface ScalingState {
  startedAt: number
  lastReadAt: number
  lastActiveAt: number
  lastUpAt: number
  lastDownAt: number
  /** Measured last: traffic may have stopped since. */
  capacity: number | undefined
  /** What was wanted within the stabilization window, oldest first. */
  wanted: readonly { at: number; replicas: number }[]
}

/** One CamelCase word: why there are as many workers as there are. */
export type ScalingReason =
  | 'Suspended'
  | 'LagUnreadable'
  | 'Fallback'
  | 'ProviderPaused'
  | 'Idle'
  | 'Woken'
  | 'OutOfBounds'
  | 'ScaledUp'
  | 'ScaledDown'
  | 'CoolingDown'
  | 'HotPartition'
  | 'Stabilizing'
  | 'AtMaximum'
  | 'Steady'

export interface Decision {
  replicas: number
  reason: ScalingReason
  state: ScalingState
}

/** Milliseconds between two steps up: the new workers have joined the group and show what they do. */
const upPause = 30_000
/** Milliseconds over which the highest wish counts before a step down, as a HorizontalPodAutoscaler has it. */
const stabilization = 300_000
/** Milliseconds between two steps down. Each costs the group a rebalance. */
const downPause = 60_000

/** What the autoscaler knows of a channel that it has just begun to scale. @param now milliseconds */
export function initialState(now: number): ScalingState {
  return {
    startedAt: now,
    lastReadAt: now,
    // A restart of the operator is no reason to put a channel to sleep.
    lastActiveAt: now,
    lastUpAt: -Infinity,
    lastDownAt: -Infinity,
    capacity: undefined,
    wanted: [],
  }
}

/**
 * How many workers a channel should have now. Pure: everything it knows comes in, and what it must remember goes out. It never takes a lag that
 * cannot be read for none, adds no workers while none may send, and takes workers away slowly, because each change costs the group a rebalance.
 * @param now milliseconds on any clock that does not jump
 */
export function decide(before: ScalingState, inputs: ScalingInputs, now: number): Decision {
  const { policy, lag, current } = inputs
  const capacity = inputs.capacity ?? before.capacity
  const cap = capOf(inputs, capacity)
  const floor = Math.min(policy.minReplicas, cap)
  const remembered = { ...before, capacity }
  const answer = (replicas: number, reason: ScalingReason, state = remembered): Decision => ({
    replicas,
    reason,
    state: {
      ...state,
      ...(replicas > current && { lastUpAt: now }),
      ...(replicas < current && { lastDownAt: now }),
    },
  })

  if (inputs.suspended) return answer(0, 'Suspended')
  const bounded = clamp(current, floor, cap)
  if (lag === undefined) {
    const isLong = now - before.lastReadAt >= policy.fallback.after
    const fallback = Math.max(bounded, clamp(policy.fallback.replicas, floor, cap))
    return isLong ? answer(fallback, 'Fallback') : answer(bounded, 'LagUnreadable')
  }

  const isActive = lag.due > 0 || lag.inflow > 0
  const wanted = clamp(wantedReplicas(inputs, lag, capacity), isActive ? 1 : 0, cap)
  const state: ScalingState = {
    ...remembered,
    lastReadAt: now,
    lastActiveAt: isActive ? now : before.lastActiveAt,
    wanted: [...before.wanted.filter(({ at }) => now - at < stabilization), { at: now, replicas: wanted }],
  }
  if (current === 0 && (isActive || floor > 0)) {
    const first = Math.max(1, floor)
    return answer(
      inputs.paused ? first : Math.max(first, Math.min(wanted, 4)),
      isActive ? 'Woken' : 'OutOfBounds',
      state,
    )
  }
  if (current !== bounded) return answer(bounded, 'OutOfBounds', state)
  if (inputs.paused) return answer(current, 'ProviderPaused', state)
  if (wanted > current) {
    // One partition holds all of the lag, and a partition has one worker: more of them would stand by.
    const isHot = lag.partitionsWithLag === 1 && inputs.partitions > 1
    return isHot ? answer(current, 'HotPartition', state) : up(wanted)
  }
  return down()

  function up(goal: number): Decision {
    if (now - before.lastUpAt < upPause) return answer(current, 'CoolingDown', state)
    const step = Math.min(goal, Math.max(current * 2, current + 4))
    const useful = usefulReplicas(step, inputs.partitions)
    return useful > current ? answer(useful, 'ScaledUp', state) : answer(current, 'Steady', state)
  }

  function down(): Decision {
    if (current === 0) return answer(0, 'Idle', state)
    if (!isActive && policy.minReplicas === 0 && now - state.lastActiveAt >= policy.idleAfter)
      return answer(0, 'Idle', state)
    const highest = Math.max(floor, 1, ...state.wanted.map(({ replicas }) => replicas))
    const goal = usefulReplicas(highest, inputs.partitions)
    if (goal >= current) {
      const isHeld =
        wanted < current && usefulReplicas(Math.max(wanted, floor, 1), inputs.partitions) < current
      return answer(current, isHeld ? 'Stabilizing' : current >= cap ? 'AtMaximum' : 'Steady', state)
    }
    // What was wanted before this process began is not known.
    if (now - before.startedAt < stabilization) return answer(current, 'Stabilizing', state)
    if (now - Math.max(before.lastDownAt, before.lastUpAt) < downPause)
      return answer(current, 'CoolingDown', state)
    return answer(Math.max(goal, current - Math.max(1, Math.floor(current / 4))), 'ScaledDown', state)
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}
