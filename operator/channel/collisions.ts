import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'

/** A channel, and since when it is there. */
export interface Claimant {
  channel: NotificationChannel
  /** RFC 3339; empty for what was published from elsewhere: it is always the older one. */
  createdAt: string
}

/**
 * Why a channel cannot have a topic that it wants, in words, or undefined. Names below the install's prefix are given, not taken: a channel that took
 * another's would have it before that is even made. Of two channels on one topic the older has it; of two of the same age the one whose name comes first. Pure.
 */
export function topicCollision(
  wanted: Claimant,
  others: readonly Claimant[],
  prefix: string,
): string | undefined {
  const reserved = reservedName(wanted.channel, prefix)
  if (reserved !== undefined) return reserved
  const topics = new Set(topicNames(wanted.channel, prefix))
  for (const other of others) {
    const shared = topicNames(other.channel, prefix).find((name) => topics.has(name))
    if (shared !== undefined && isBefore(other, wanted) && mayHave(other, prefix)) {
      const { namespace, name } = other.channel.metadata
      return `topic ${shared} belongs to NotificationChannel ${namespace}/${name}`
    }
  }
  return undefined
}

/** Who asks for what it can never have keeps nobody from it; what was published from elsewhere has it already. */
function mayHave({ channel, createdAt }: Claimant, prefix: string): boolean {
  return createdAt === '' || reservedName(channel, prefix) === undefined
}

/** Why no channel, or none but another, can ever have the topics that a channel asks for. */
function reservedName(channel: NotificationChannel, prefix: string): string | undefined {
  const { metadata, spec } = channel
  const topics = new Set(topicNames(channel, prefix))
  const own = installTopicSpecs(prefix, 1).find(({ name }) => topics.has(name))
  if (own !== undefined) return `topic ${own.name} is the install's own`
  const given = channelTopics(prefix, metadata, '', []).main
  return spec.topic.name.startsWith(`${prefix}.`) && spec.topic.name !== given
    ? `topic ${spec.topic.name}: names that begin with ${prefix}. are given by the install`
    : undefined
}

function topicNames(channel: NotificationChannel, prefix: string): string[] {
  return channelTopicSpecs(prefix, channel).map(({ name }) => name)
}

function isBefore(left: Claimant, right: Claimant): boolean {
  if (left.createdAt !== right.createdAt) return left.createdAt < right.createdAt
  const key = ({ channel: { metadata } }: Claimant) => `${metadata.namespace}/${metadata.name}`
  return key(left) < key(right)
}
