import { channelTopics } from '../notification/topics.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import { parseDuration } from '../resources/duration.ts'
import { type Admin, BrokerError, type PartitionLag, partitionName } from '../broker/broker.ts'

/** Topics that a group consumes. */
export interface Subscription {
  group: string
  topics: readonly string[]
  /** Of retry topics: milliseconds that a record waits before it is due, by topic. */
  delays?: ReadonlyMap<string, number>
}

export interface LagReading {
  /** Of every group whose lag could be read. */
  lags: PartitionLag[]
  /** Records of the retry topics that are due, by {@link partitionName}; undefined when that cannot be read. */
  due: ReadonlyMap<string, number> | undefined
  /** Groups whose lag could not be read: it is not 0. */
  unreadable: ReadonlySet<string>
  /** Those of them of which a topic does not exist. */
  topicless: ReadonlySet<string>
  failures: unknown[]
}

/**
 * Reads the lag of many groups in a handful of requests. A topic that does not exist, of one new channel say, hides no lag but its own.
 * @param now milliseconds since the epoch; records count as due that are due by then
 */
export async function readLag(
  admin: Pick<Admin, 'lag' | 'offsetsAt'>,
  subscriptions: readonly Subscription[],
  now: number,
): Promise<LagReading> {
  const unreadable = new Set<string>()
  const topicless = new Set<string>()
  const failures: unknown[] = []
  const lags = await read(subscriptions)
  const delays = new Map(subscriptions.flatMap((subscription) => [...(subscription.delays ?? [])]))
  return { lags, due: await readDue(), unreadable, topicless, failures }

  async function read(wanted: readonly Subscription[]): Promise<PartitionLag[]> {
    try {
      return await admin.lag(wanted)
    } catch (error) {
      const isTopicless = error instanceof BrokerError && error.code === 'unknown_topic'
      if (isTopicless && wanted.length > 1) {
        const middle = wanted.length >> 1
        const halves = [wanted.slice(0, middle), wanted.slice(middle)]
        return (await Promise.all(halves.map(read))).flat()
      }
      for (const { group } of wanted) {
        unreadable.add(group)
        if (isTopicless) topicless.add(group)
      }
      failures.push(error)
      return []
    }
  }

  /** Every record of a retry topic waits equally long, so what is due is what was written before then. */
  async function readDue(): Promise<Map<string, number> | undefined> {
    const waiting = lags.filter(({ topic }) => delays.has(topic))
    const topics = [...new Set(waiting.map(({ topic }) => topic))]
    try {
      const positions = await admin.offsetsAt(
        topics.map((topic) => ({ topic, timestamp: now - delays.get(topic)! })),
      )
      const dueUpTo = new Map(positions.map((position) => [partitionName(position), position.offset]))
      return new Map(
        waiting.map((lag) => {
          const name = partitionName(lag)
          const from = positionOf(lag)
          return [name, Math.max(0, (dueUpTo.get(name) ?? from) - from)]
        }),
      )
    } catch (error) {
      failures.push(error)
      return undefined
    }
  }
}

/** What the workers of a channel consume. */
export function channelSubscriptions(
  prefix: string,
  { metadata, spec }: Pick<NotificationChannel, 'metadata' | 'spec'>,
): Subscription[] {
  const { main, group, retries, retryGroup } = channelTopics(
    prefix,
    metadata,
    spec.topic.name,
    spec.delivery.retryTiers,
  )
  const live = { group, topics: [main] }
  if (retries.length === 0) return [live]
  const delays = new Map(retries.map(({ tier, topic }) => [topic, parseDuration(tier)]))
  return [live, { group: retryGroup, topics: [...delays.keys()], delays }]
}

/** Where the group reads next: nothing before the beginning is there any more. */
export function positionOf({ committed, beginning }: PartitionLag): number {
  return Math.max(committed ?? beginning, beginning)
}
