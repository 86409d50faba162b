import { type Admin, BrokerError, type TopicDescription } from '../../core/broker/broker.ts'
import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import { adoptAnnotation, ensureOwnedTopics } from '../../core/ownership/owned-topics.ts'
import type { Ownership } from '../../core/ownership/ownership.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { keyOf, type KubernetesObject, nameOf } from '../runtime/api/resource-kind.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import { isFalse, isTrue } from './condition-texts.ts'
import type { TopicsMade } from './corrections.ts'

export interface TopicFindings {
  topicsReady: ConditionText
  /** Undefined where there are no topics of its own to judge. */
  durable?: ConditionText
  /** Whether the channel has its topics, as they should be or nearly so. */
  hasTopics: boolean
}

/** Whether a channel lets itself be given topics that somebody else made. */
export const adopts = ({ metadata }: KubernetesObject): boolean =>
  metadata.annotations?.[adoptAnnotation] === 'true'

export interface TopicsOptions {
  admin: Admin
  ownership: Ownership
  prefix: string
  /** Brokers of the cluster, where the channel asks for more copies than there are. */
  maxReplicas: number
}

/**
 * Makes the topics of a channel what its spec says: creates, grows, and puts settings right that drifted. Topics that are somebody else's are not
 * touched, and what cannot be made so, fewer partitions or another number of copies, is told and left. Rejects with a BrokerError while Kafka is away.
 * @param tell is told what it took
 */
export async function ensureTopics(
  channel: NotificationChannel,
  object: KubernetesObject,
  { admin, ownership, prefix, maxReplicas }: TopicsOptions,
  tell: (made: TopicsMade) => void,
  signal: AbortSignal,
): Promise<TopicFindings> {
  const specs = channelTopicSpecs(prefix, channel, maxReplicas)
  const { deletionPolicy } = channel.spec.topic
  const owner = { channel: keyOf(nameOf(object)), deletionPolicy, adopts: adopts(object) }
  try {
    const owned = await ensureOwnedTopics(specs, { admin, ownership, ...owner }, signal)
    if (owned.kind === 'refused') return without(isFalse('TopicNotOwned', owned.refusals.join('; ')))
    const { topics, changes, problems } = owned
    tell({ specs, changes })
    const topicsReady =
      problems.length > 0
        ? isFalse('NotSupported', problems.join('; '))
        : isTrue('TopicsReady', `${specs.length} topics are as they should be`)
    return { topicsReady, durable: durability(topics), hasTopics: true }
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'invalid') throw error
    return without(isFalse('TopicRefused', error.message))
  }
}

function without(topicsReady: ConditionText): TopicFindings {
  return { topicsReady, hasTopics: false }
}

/** Whether an acknowledged message outlives the loss of a broker: two copies at least, and two that must have it. */
function durability(topics: readonly TopicDescription[]): ConditionText {
  const weak = topics.find(
    ({ replicas, config }) =>
      replicas < 2 ||
      Number(config['min.insync.replicas'] ?? 1) < 2 ||
      config['unclean.leader.election.enable'] === 'true',
  )
  if (weak === undefined) return isTrue('Durable', 'an accepted message outlives the loss of a broker')
  const { name, replicas, config } = weak
  if (config['unclean.leader.election.enable'] === 'true')
    return isFalse(
      'UncleanElection',
      `topic ${name} may lose messages: unclean.leader.election.enable is true`,
    )
  const acknowledged = config['min.insync.replicas'] ?? '1'
  return isFalse(
    'NotReplicated',
    `topic ${name} may lose messages with a broker: it has replicas=${replicas} and min.insync.replicas=${acknowledged}, and needs 2 of each`,
  )
}
