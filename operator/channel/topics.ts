import { type Admin, BrokerError, type TopicDescription } from '../../core/broker/broker.ts'
import { applyTopicChanges, planTopics } from '../../core/broker/reconcile-topics.ts'
import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import { isFalse, isTrue } from './condition-texts.ts'

export interface TopicFindings {
  topicsReady: ConditionText
  durable: ConditionText
  /** Whether Kafka took none of it. */
  isRefused: boolean
}

/**
 * Makes the topics of a channel what its spec says: creates, grows, and puts settings right that drifted. What cannot be made so, fewer partitions or
 * another number of copies, is told and left. Rejects with a BrokerError while Kafka is away.
 * @param maxReplicas brokers of the cluster, where the channel asks for more copies than there are
 */
export async function ensureTopics(
  channel: NotificationChannel,
  { admin, prefix, maxReplicas }: { admin: Admin; prefix: string; maxReplicas: number },
): Promise<TopicFindings> {
  const specs = channelTopicSpecs(prefix, channel, maxReplicas)
  const names = specs.map(({ name }) => name)
  const before = await admin.describeTopics(names)
  const plan = planTopics(specs, before)
  try {
    await applyTopicChanges(admin, plan.changes)
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'invalid') throw error
    return {
      topicsReady: isFalse('TopicRefused', error.message),
      durable: isFalse('TopicRefused', error.message),
      isRefused: true,
    }
  }
  const found = plan.changes.length === 0 ? before : await admin.describeTopics(names)
  const topicsReady =
    plan.problems.length > 0
      ? isFalse('NotSupported', plan.problems.join('; '))
      : isTrue('TopicsReady', `${names.length} topics are as they should be`)
  return { topicsReady, durable: durability(found), isRefused: false }
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
