import { type Admin, partitionName } from '../../core/broker/broker.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { channelSubscriptions, readLag } from '../../core/observability/lag-reader.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { keyOf, type ObjectName } from '../runtime/api/resource-kind.ts'

/** What Kafka says of one channel. */
export interface ChannelReading {
  /** Records not finished, on the main topic. */
  lag: number
  /** Records not finished, on the main topic and, as far as they are due soon, on the retry topics. */
  due: number
  partitionsWithLag: number
  deadLetters: number
  /** Sum of the ends of the main topic's partitions: it rises with every record. */
  end: number
}

export interface ChannelReadings {
  /** By key of the channel; one that cannot be read is absent. */
  readings: Map<string, ChannelReading>
  /** Channels of which a topic does not exist. */
  topicless: ObjectName[]
}

/** Milliseconds that a pod needs to start: what falls due within them counts as due, so that a sleeping channel is woken in time. */
const podStart = 30_000

/** Reads all channels in a handful of requests. */
export async function readChannels(
  admin: Pick<Admin, 'lag' | 'offsetsAt'>,
  channels: readonly NotificationChannel[],
  prefix: string,
  now: number,
): Promise<ChannelReadings> {
  const places = channels.map((channel) => ({
    name: channel.metadata,
    subscriptions: channelSubscriptions(prefix, channel),
    topics: channelTopics(
      prefix,
      channel.metadata,
      channel.spec.topic.name,
      channel.spec.delivery.retryTiers,
    ),
  }))
  // Nobody commits on dead letters, so their lag is all that is there.
  const letters = places.map(({ topics }) => ({ group: topics.group, topics: [topics.deadLetters] }))
  const subscriptions = [...places.flatMap((place) => place.subscriptions), ...letters]
  const { lags, due, unreadable, topicless } = await readLag(admin, subscriptions, now + podStart)
  const byTopic = Map.groupBy(lags, ({ topic }) => topic)
  const readings = new Map<string, ChannelReading>()
  for (const { name, topics } of places) {
    const isBlind = due === undefined || unreadable.has(topics.group) || unreadable.has(topics.retryGroup)
    const main = byTopic.get(topics.main)
    if (isBlind || main === undefined) continue
    const retries = topics.retries.flatMap(({ topic }) => byTopic.get(topic) ?? [])
    const lag = sum(main, (partition) => partition.lag)
    readings.set(keyOf(name), {
      lag,
      due: lag + sum(retries, (partition) => due.get(partitionName(partition)) ?? 0),
      partitionsWithLag: main.filter((partition) => partition.lag > 0).length,
      deadLetters: sum(byTopic.get(topics.deadLetters) ?? [], (partition) => partition.lag),
      end: sum(main, (partition) => partition.end),
    })
  }
  const isTopicless = ({ topics }: (typeof places)[number]) =>
    topicless.has(topics.group) || topicless.has(topics.retryGroup)
  return { readings, topicless: places.filter(isTopicless).map(({ name }) => name) }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
