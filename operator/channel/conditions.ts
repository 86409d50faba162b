import type { ChannelConditionType } from '../../core/resources/condition.ts'
import type { ConditionText } from '../runtime/conditions.ts'

/** What one look at a channel found, condition by condition. A condition that was not looked at is `Unknown`. */
export type ChannelFindings = Partial<Record<Exclude<ChannelConditionType, 'Ready'>, ConditionText>>

export const isTrue = (reason: string, message: string): ConditionText => ({
  status: 'True',
  reason,
  message,
})
export const isFalse = (reason: string, message: string): ConditionText => ({
  status: 'False',
  reason,
  message,
})
export const isUnknown = (reason: string, message: string): ConditionText => ({
  status: 'Unknown',
  reason,
  message,
})

/** In the order in which one depends on the other: the first that does not hold is what `Ready` tells. */
const needed = ['Accepted', 'CredentialsReady', 'TopicsReady', 'WorkersReady'] as const
const further = ['Durable', 'ScalingActive', 'ProviderHealthy'] as const

/**
 * All conditions of a channel, `Ready` first. `Ready` needs those that a message needs to get out; a single copy in Kafka, a paused autoscaler or
 * a provider with troubles are told on their own, because the channel goes on in spite of them.
 */
export function channelConditionTexts(
  findings: ChannelFindings,
  { suspend }: { suspend: boolean },
): Record<ChannelConditionType, ConditionText> {
  const unseen = isUnknown('NotChecked', 'a condition before this one does not hold')
  const all = Object.fromEntries(
    [...needed, ...further].map((type) => [type, findings[type] ?? unseen]),
  ) as Record<Exclude<ChannelConditionType, 'Ready'>, ConditionText>
  return { Ready: readiness(all, suspend), ...all }
}

function readiness(
  all: Readonly<Record<(typeof needed)[number], ConditionText>>,
  suspend: boolean,
): ConditionText {
  const missing = needed.find((type) => all[type].status !== 'True')
  if (missing !== undefined) return all[missing]
  return suspend
    ? isTrue('Suspended', 'suspended: messages are accepted and kept')
    : isTrue('Ready', 'messages are accepted and delivered')
}
