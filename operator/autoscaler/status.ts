import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import type { ChannelObject } from '../channel/status.ts'
import { channels } from '../kinds.ts'
import type { Api } from '../runtime/api.ts'
import { type ConditionText, nextConditions } from '../runtime/conditions.ts'
import { keyOf, type KubernetesObject, nameOf } from '../runtime/resource-kind.ts'

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

/** Writes the autoscaler's part of a channel's status if it says anything new. */
export function createScalingStatusWriter({ api, clock }: { api: Api; clock: Clock }) {
  const written = new Map<string, { at: number; status: object; texts: object }>()

  return async (object: ChannelObject, said: ScalingStatus, signal: AbortSignal): Promise<void> => {
    const key = keyOf(nameOf(object))
    const { scaling, provider, activeProvider, lag, deadLetters } = said
    const texts = { ScalingActive: scaling, ProviderHealthy: provider, activeProvider }
    const before = object.status?.conditions ?? []
    const conditions = nextConditions(
      before,
      { ScalingActive: scaling, ProviderHealthy: provider },
      { generation: object.metadata.generation ?? 0, now: clock.now() },
    )
    const status = {
      conditions,
      ...(activeProvider !== undefined && { activeProvider }),
      ...(lag !== undefined && { lag }),
      ...(deadLetters !== undefined && { deadLetters }),
    }
    const last = written.get(key)
    if (isDeepStrictEqual(status, last?.status)) return
    const isOnlyNumbers = isDeepStrictEqual(texts, last?.texts)
    if (last !== undefined && isOnlyNumbers && clock.monotonic() - last.at < numbersInterval) return
    const { apiVersion, kind, metadata } = object
    const { name, namespace = '' } = metadata
    await api.apply(
      channels,
      { apiVersion, kind, metadata: { name, namespace }, status } as KubernetesObject,
      { fieldManager, subresource: 'status' },
      signal,
    )
    written.set(key, { at: clock.monotonic(), status, texts })
  }
}
