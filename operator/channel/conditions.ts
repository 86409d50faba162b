import type { ChannelConditionType } from '../../core/resources/condition.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import { isTrue, isUnknown } from './condition-texts.ts'
import { isHindered } from './workers/condition.ts'

/** The conditions that the channel controller judges. Those of the autoscaler are its own. */
export type JudgedCondition = Exclude<ChannelConditionType, 'ScalingActive' | 'ProviderHealthy'>

/** What one look at a channel found, condition by condition. A condition that was not looked at is `Unknown`. */
export type ChannelFindings = Partial<Record<Exclude<JudgedCondition, 'Ready'>, ConditionText>>

/** In the order in which one depends on the other: the first that does not hold is what `Ready` tells. */
const needed = ['Accepted', 'CredentialsReady', 'TopicsReady', 'WorkersReady'] as const
const further = ['Durable'] as const

export const isJudged = (type: string) =>
  type === 'Ready' || [...needed, ...further].some((each) => each === type)

/** The condition that a look which ended here was about. */
export function firstUnseen(findings: ChannelFindings): (typeof needed)[number] | undefined {
  return needed.find((type) => findings[type] === undefined)
}

/**
 * The judged conditions of a channel, `Ready` first. `Ready` needs those that a message needs to get out; a single copy in Kafka is told on its
 * own, because the channel goes on in spite of it.
 */
export function channelConditionTexts(
  findings: ChannelFindings,
  { suspend }: { suspend: boolean },
): Record<JudgedCondition, ConditionText> {
  const first = needed.find((type) => findings[type]?.status !== 'True')
  const unseen = isUnknown('NotChecked', `not looked at while ${first} is not True`)
  const all = Object.fromEntries(
    [...needed, ...further].map((type) => [type, findings[type] ?? unseen]),
  ) as Record<Exclude<JudgedCondition, 'Ready'>, ConditionText>
  return { Ready: readiness(all, suspend), ...all }
}

function readiness(
  all: Readonly<Record<(typeof needed)[number], ConditionText>>,
  suspend: boolean,
): ConditionText {
  const missing = needed.find((type) => all[type].status !== 'True')
  if (missing !== undefined) return all[missing]
  // That some new workers do not get there keeps no message waiting, but somebody has to look.
  if (isHindered(all.WorkersReady)) return all.WorkersReady
  return suspend
    ? isTrue('Suspended', 'suspended: messages are accepted and kept')
    : isTrue('Ready', 'messages are accepted and delivered')
}
