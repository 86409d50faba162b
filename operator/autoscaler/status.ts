import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import type { NotificationChannelStatus } from '../../core/resources/channel.ts'
import { AppliedStatus } from '../applied-status.ts'
import type { ChannelObject } from '../channel/status.ts'
import { channels } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import {
  type ConditionText,
  nextConditions,
  otherReasons,
  transitionEvent,
  transitions,
} from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'

/** What the autoscaler has to say of a channel. It owns these fields; the rest of the status is the channel controller's. */
export interface ScalingFindings {
  scaling: ConditionText
  provider: ConditionText
  activeProvider: string | undefined
  lag: number | undefined
  deadLetters: number | undefined
}

type ScalingStatus = Pick<NotificationChannelStatus, 'conditions' | 'activeProvider' | 'lag' | 'deadLetters'>

const fieldManager = 'carillon-autoscaler'
const types = ['ScalingActive', 'ProviderHealthy']
/** Milliseconds between two writes that only tell new numbers: a column may be a little old, and the API server is everybody's. */
const numbersInterval = 30_000

export interface ScalingStatusOptions {
  api: Pick<Api, 'apply'>
  objects: Cache<ChannelObject>
  clock: Clock
  recordEvent: RecordEvent
}

/**
 * Writes the autoscaler's part of a channel's status if it says anything new, or if somebody else wrote it. What ceases to work, and what works again, is
 * told as an Event.
 */
export function createScalingStatusWriter({ api, objects, clock, recordEvent }: ScalingStatusOptions) {
  const applied = new AppliedStatus<ChannelObject, ScalingStatus>({
    api,
    kind: channels,
    objects,
    fieldManager,
    part: scalingPart,
    clock,
  })

  return async (object: ChannelObject, found: ScalingFindings, signal: AbortSignal): Promise<void> => {
    const { scaling, provider, ...facts } = found
    const before = applied.last(object)?.conditions ?? []
    const conditions = nextConditions(
      before,
      { ScalingActive: scaling, ProviderHealthy: provider },
      { generation: object.metadata.generation ?? 0, now: clock.now() },
    )
    const status = withoutAbsent({ conditions, ...facts })
    const hasNews = !isDeepStrictEqual(withoutNumbers(status), withoutNumbers(scalingPart(object)))
    if (!hasNews && applied.age(object) < numbersInterval) return
    if (!(await applied.apply(object, status, signal))) return
    const failed = new Set(before.filter(({ status }) => status === 'False').map(({ type }) => type))
    for (const condition of [...transitions(before, conditions), ...otherReasons(before, conditions)])
      if (condition.status === 'False' || failed.has(condition.type))
        recordEvent(object, transitionEvent(condition))
  }
}

function scalingPart({ status = {} }: ChannelObject): ScalingStatus {
  const { activeProvider, lag, deadLetters } = status
  const conditions = types.flatMap((type) => (status.conditions ?? []).filter((each) => each.type === type))
  return withoutAbsent({ conditions, activeProvider, lag, deadLetters })
}

/** What is told at once: that a number is known, or no longer, is news too. */
function withoutNumbers({ lag, deadLetters, ...words }: ScalingStatus) {
  return { ...words, knowsLag: lag !== undefined, knowsDeadLetters: deadLetters !== undefined }
}

/** To server-side apply, and to a comparison, a field without a value is another thing than no field. */
function withoutAbsent(status: { [Field in keyof ScalingStatus]: ScalingStatus[Field] | undefined }) {
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== undefined),
  ) as ScalingStatus
}
