import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import type { Condition } from '../../core/resources/condition.ts'
import type { ChannelObject } from '../channel/status.ts'
import { channels } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import { type ConditionText, nextConditions, transitionEvent, transitions } from '../runtime/conditions.ts'
import type { RecordEvent } from '../runtime/events.ts'

/** What the autoscaler has to say of a channel. It owns these fields; the rest of the status is the channel controller's. */
export interface ScalingStatus {
  scaling: ConditionText
  provider: ConditionText
  activeProvider: string | undefined
  lag: number | undefined
  deadLetters: number | undefined
}

/** Owner of these fields, apart from the controller's own: each applies its part of the status without the other's. */
const fieldManager = 'carillon-autoscaler'
/** Milliseconds between two writes that only tell new numbers: a column may be a little old, and the API server is everybody's. */
const numbersInterval = 30_000

export interface ScalingStatusOptions {
  api: Pick<Api, 'apply'>
  clock: Clock
  recordEvent: RecordEvent
}

/**
 * Writes the autoscaler's part of a channel's status if it says anything new, or if somebody else wrote it. What ceases to work, and what works again, is
 * told as an Event.
 */
export function createScalingStatusWriter({ api, clock, recordEvent }: ScalingStatusOptions) {
  /** By uid, as long as the watch may not have brought it back. */
  const written = new Map<string, { at: number; conditions: readonly Condition[] }>()

  return async (object: ChannelObject, said: ScalingStatus, signal: AbortSignal): Promise<void> => {
    const { scaling, provider, activeProvider, lag, deadLetters } = said
    const { apiVersion, kind, metadata } = object
    const { name, namespace = '', uid = '' } = metadata
    const before = written.get(uid)?.conditions ?? object.status?.conditions ?? []
    const conditions = nextConditions(
      before,
      { ScalingActive: scaling, ProviderHealthy: provider },
      { generation: metadata.generation ?? 0, now: clock.now() },
    )
    const words = { conditions, ...(activeProvider !== undefined && { activeProvider }) }
    const numbers = { ...(lag !== undefined && { lag }), ...(deadLetters !== undefined && { deadLetters }) }
    const live = livePart(object)
    const hasNews = !isDeepStrictEqual(words, live.words)
    if (!hasNews && isDeepStrictEqual(numbers, live.numbers)) return
    const now = clock.monotonic()
    for (const [key, { at }] of written) if (now - at >= numbersInterval) written.delete(key)
    if (!hasNews && written.has(uid)) return
    const status = { ...words, ...numbers }
    await api.apply(
      channels,
      { apiVersion, kind, metadata: { name, namespace }, status } as KubernetesObject,
      { fieldManager, subresource: 'status' },
      signal,
    )
    written.set(uid, { at: now, conditions })
    const failed = new Set(before.filter(({ status }) => status === 'False').map(({ type }) => type))
    for (const condition of transitions(before, conditions))
      if (condition.status === 'False' || failed.has(condition.type))
        recordEvent(object, transitionEvent(condition))
  }
}

/** The autoscaler's part of a status as it was last seen. */
function livePart({ status }: ChannelObject): { words: object; numbers: object } {
  const { conditions = [], activeProvider, lag, deadLetters } = status ?? {}
  const ours = ['ScalingActive', 'ProviderHealthy'].flatMap((type) =>
    conditions.filter((condition) => condition.type === type),
  )
  return {
    words: { conditions: ours, ...(activeProvider !== undefined && { activeProvider }) },
    numbers: { ...(lag !== undefined && { lag }), ...(deadLetters !== undefined && { deadLetters }) },
  }
}
