import { channelTopicSpecs, installTopicSpecs } from '../../core/broker/topic-specs.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'

/** A channel, and since when it is there. */
export interface Claimant {
  channel: NotificationChannel
  createdAt: string
}

/**
 * Who else has a topic that this channel wants, in words, or undefined. Of two channels on one topic the older has it; of two of the same age the one whose
 * name comes first. Pure.
 */
export function topicCollision(
  wanted: Claimant,
  others: readonly Claimant[],
  prefix: string,
): string | undefined {
  const topics = new Set(topicNames(wanted.channel, prefix))
  const own = installTopicSpecs(prefix, 1).find(({ name }) => topics.has(name))
  if (own !== undefined) return `topic ${own.name} is the install's own`
  for (const other of others) {
    const shared = topicNames(other.channel, prefix).find((name) => topics.has(name))
    if (shared !== undefined && isBefore(other, wanted)) {
      const { namespace, name } = other.channel.metadata
      return `topic ${shared} belongs to NotificationChannel ${namespace}/${name}`
    }
  }
  return undefined
}

function topicNames(channel: NotificationChannel, prefix: string): string[] {
  return channelTopicSpecs(prefix, channel).map(({ name }) => name)
}

function isBefore(left: Claimant, right: Claimant): boolean {
  if (left.createdAt !== right.createdAt) return left.createdAt < right.createdAt
  const key = ({ channel: { metadata } }: Claimant) => `${metadata.namespace}/${metadata.name}`
  return key(left) < key(right)
}
