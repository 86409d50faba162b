import {
  catalogTopic,
  channelTopics,
  eventsTopic,
  ownershipTopic,
  requestsDeadLettersTopic,
  requestsTopic,
  workersTopic,
} from '../notification/topics.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import { parseDuration } from '../resources/duration.ts'
import type { TopicSpec } from './broker.ts'

/** Partitions of the requests topic: how many planners can share the work. It can grow, and never shrinks. */
const requestPartitions = 6
/** How long planners, or somebody who reads events, may be away. */
export const logRetention = '168h'
/** Enough for consumers of some thousand events a second, with room for more: it grows. */
const eventPartitions = 6
/** A heartbeat is of no use after seconds. Kafka cleans whole segments only, so these are short, and what remains of killed workers goes by its age. */
const heartbeatRetention = '1h'
const heartbeatSegment = '10m'

/**
 * The topics that an install has whatever its channels: requests, those that cannot be read, events, the compacted catalog and the
 * heartbeats.
 */
export function installTopicSpecs(prefix: string, replicas: number): TopicSpec[] {
  const log = {
    ...durable(replicas),
    'cleanup.policy': 'delete',
    'retention.ms': milliseconds(logRetention),
  }
  const compacted = { ...durable(replicas), 'cleanup.policy': 'compact' }
  const heartbeats = {
    ...durable(replicas),
    'cleanup.policy': 'compact,delete',
    'retention.ms': milliseconds(heartbeatRetention),
    'segment.ms': milliseconds(heartbeatSegment),
  }
  return [
    { name: requestsTopic(prefix), partitions: requestPartitions, replicas, config: log },
    { name: requestsDeadLettersTopic(prefix), partitions: 1, replicas, config: log },
    { name: eventsTopic(prefix), partitions: eventPartitions, replicas, config: log },
    { name: catalogTopic(prefix), partitions: 1, replicas, config: compacted },
    { name: workersTopic(prefix), partitions: 1, replicas, config: heartbeats },
  ]
}

/** What is written down of the prefix and of the topics: no copy of anything, so it is kept for ever. */
export function ownershipTopicSpec(prefix: string, replicas: number): TopicSpec {
  const config = { ...durable(replicas), 'cleanup.policy': 'compact' }
  return { name: ownershipTopic(prefix), partitions: 1, replicas, config }
}

/**
 * The topics of a channel: the main one, one for each retry tier (a single partition, so that its head is the next due), and
 * the dead letters. `spec.topic.config` holds for all of them and wins.
 * @param maxReplicas where the cluster has fewer brokers than the channel asks for copies
 */
export function channelTopicSpecs(
  prefix: string,
  channel: NotificationChannel,
  maxReplicas = Infinity,
): TopicSpec[] {
  const { topic, delivery } = channel.spec
  const { namespace, name } = channel.metadata
  const replicas = Math.min(topic.replicas, maxReplicas)
  const { main, retries, deadLetters } = channelTopics(
    prefix,
    { namespace, name },
    topic.name,
    delivery.retryTiers,
  )
  const config = {
    ...durable(replicas),
    'cleanup.policy': 'delete',
    'retention.ms': milliseconds(topic.retention),
    ...topic.config,
  }
  const single = [...retries.map(({ topic }) => topic), deadLetters]
  return [
    { name: main, partitions: topic.partitions, replicas, config },
    ...single.map((name) => ({ name, partitions: 1, replicas, config })),
  ]
}

/**
 * With three copies a write needs two of them: one broker can be lost without losing a record, nor the ability to write. Brokers
 * keep the batches as they come, because they cannot be asked to compress with a codec that our client cannot read.
 */
function durable(replicas: number): Record<string, string> {
  return {
    'min.insync.replicas': String(Math.max(1, replicas - 1)),
    // Said here, whatever the cluster's default is: a broker that was behind must not take over and lose what was acknowledged.
    'unclean.leader.election.enable': 'false',
    'compression.type': 'producer',
  }
}

function milliseconds(duration: string): string {
  return String(parseDuration(duration))
}
