import {
  type Admin,
  type PartitionLag,
  partitionName,
  type TopicPartition,
  type TopicPartitionOffset,
} from '../../broker.ts'
import { beginnings, committedOffsets, ends, offsetsAt as readOffsetsAt } from '../offsets.ts'
import { withPatience } from '../patience.ts'
import { TopicMap } from '../topic-map.ts'
import { failOn, UNKNOWN_TOPIC_OR_PARTITION } from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'

/** What an administrator may ask of offsets: how far groups are behind, and where a point in time is. */
export function offsetAdmin(wire: Wire): Pick<Admin, 'lag' | 'offsetsAt'> {
  /** Two requests to each leader, and two for each group. */
  async function lag(
    subscriptions: readonly { group: string; topics: readonly string[] }[],
  ): Promise<PartitionLag[]> {
    if (subscriptions.every(({ topics }) => topics.length === 0)) return []
    return await withPatience(async () => {
      const names = [...new Set(subscriptions.flatMap((subscription) => subscription.topics))]
      const { topics, partitionsOf } = await locate(names)
      const partitions = names.flatMap(partitionsOf)
      const [first, end] = await Promise.all([
        beginnings(wire, topics, partitions),
        ends(wire, topics, partitions),
      ])
      const lags = subscriptions.map(async ({ group, topics: subscribed }) => {
        const own = subscribed.flatMap(partitionsOf)
        const coordinator = await wire.coordinator(group)
        const committed = await committedOffsets(wire, coordinator, group, own)
        return own.map((partition): PartitionLag => {
          const name = partitionName(partition)
          const place = {
            beginning: first.get(name)!,
            end: end.get(name)!,
            committed: committed.get(name) ?? null,
          }
          const lag = Math.max(0, place.end - Math.max(place.committed ?? place.beginning, place.beginning))
          return { group, ...partition, ...place, lag }
        })
      })
      return (await Promise.all(lags)).flat()
    })
  }

  async function offsetsAt(
    points: readonly { topic: string; timestamp: number }[],
  ): Promise<TopicPartitionOffset[]> {
    if (points.length === 0) return []
    return await withPatience(async () => {
      const { topics, partitionsOf } = await locate(points.map(({ topic }) => topic))
      const asked = points.flatMap(({ topic, timestamp }) =>
        partitionsOf(topic).map((partition) => ({ ...partition, timestamp })),
      )
      const found = await readOffsetsAt(wire, topics, asked)
      return asked.map(({ topic, partition }) => ({
        topic,
        partition,
        offset: found.get(partitionName({ topic, partition }))!,
      }))
    })
  }

  /** Where the topics are; asking for the partitions of one that does not exist throws. */
  async function locate(names: readonly string[]) {
    const topics = new TopicMap(wire)
    for (const name of names) topics.add(name)
    await topics.refresh()
    const partitionsOf = (topic: string): TopicPartition[] => {
      const place = topics.get(topic)
      failOn(place?.error ?? UNKNOWN_TOPIC_OR_PARTITION, `topic ${topic}`)
      return place!.partitions.map(({ partition }) => ({ topic, partition }))
    }
    return { topics, partitionsOf }
  }

  return { lag, offsetsAt }
}
