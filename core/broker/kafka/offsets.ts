import { type TopicPartition, partitionName } from '../broker.ts'
import type { TopicMap } from './topic-map.ts'
import { failOn, KafkaError } from './wire/kafka-error.ts'
import type { Wire } from './wire/wire.ts'

/** Kafka's special timestamps for ListOffsets. */
const EARLIEST = '-2'
const LATEST = '-1'
const READ_COMMITTED = 1

interface ListOffsetsAnswer {
  responses: { topic: string; partitions: { partition: number; errorCode: number; offset: string }[] }[]
}

interface OffsetFetchAnswer {
  errorCode?: number
  responses: { topic: string; partitions: { partition: number; errorCode: number; offset: string }[] }[]
}

/** Offsets by `topic/partition`. */
export type Offsets = Map<string, number>

/** The first offset of each partition that there is: one request to each leader. Rejects when any of them cannot be read. */
export function beginnings(
  wire: Wire,
  topics: TopicMap,
  partitions: readonly TopicPartition[],
): Promise<Offsets> {
  return allListed(wire, topics, partitions, EARLIEST)
}

/** The offset behind the last record of each partition that can be read: one request to each leader. */
export function ends(wire: Wire, topics: TopicMap, partitions: readonly TopicPartition[]): Promise<Offsets> {
  return allListed(wire, topics, partitions, LATEST)
}

/** The first offset at or after a point in time, and the end where there is none: two requests to each leader. */
export async function offsetsAt(
  wire: Wire,
  topics: TopicMap,
  points: readonly (TopicPartition & { timestamp: number })[],
): Promise<Offsets> {
  const [found, end] = await Promise.all([
    listOffsets(wire, topics, points, ({ timestamp }) => String(timestamp)),
    ends(wire, topics, points),
  ])
  return new Map(points.map(partitionName).map((name) => [name, found.get(name) ?? end.get(name)!]))
}

/** The committed positions of a group; partitions without one are absent. Rejects when any of them cannot be read. */
export async function committedOffsets(
  wire: Wire,
  coordinator: number,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<Offsets> {
  if (partitions.length === 0) return new Map()
  const answer = await wire.ask<OffsetFetchAnswer>(coordinator, 'OffsetFetch', {
    groupId: group,
    topics: byTopic(partitions, ({ partition }) => ({ partition })),
  })
  failOn(answer.errorCode ?? 0, `group ${group}`)
  return collect(answer.responses, partitions)
}

/** What Kafka's requests want: partitions below their topics. */
export function byTopic<P extends TopicPartition, T>(partitions: readonly P[], present: (partition: P) => T) {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, members]) => ({
    topic,
    partitions: members.map(present),
  }))
}

async function allListed(
  wire: Wire,
  topics: TopicMap,
  partitions: readonly TopicPartition[],
  timestamp: string,
): Promise<Offsets> {
  const found = await listOffsets(wire, topics, partitions, () => timestamp)
  const missing = partitions.find((partition) => !found.has(partitionName(partition)))
  if (missing) throw new KafkaError(-1, `topic ${missing.topic}`)
  return found
}

/** Partitions without an offset at or after their timestamp are absent. */
async function listOffsets<P extends TopicPartition>(
  wire: Wire,
  topics: TopicMap,
  partitions: readonly P[],
  timestampOf: (partition: P) => string,
): Promise<Offsets> {
  const byLeader = Map.groupBy(partitions, ({ topic, partition }) => topics.leader(topic, partition))
  if (byLeader.has(-1)) throw new KafkaError(5, `topic ${byLeader.get(-1)![0]!.topic}`)
  const answers = await Promise.all(
    [...byLeader].map(async ([leader, led]) => {
      const answer = await wire.ask<ListOffsetsAnswer>(leader, 'ListOffsets', {
        replicaId: -1,
        isolationLevel: READ_COMMITTED,
        topics: byTopic(led, (place) => ({ partition: place.partition, timestamp: timestampOf(place) })),
      })
      return collect(answer.responses, led)
    }),
  )
  return new Map(answers.flatMap((answer) => [...answer]))
}

function collect(answers: OffsetFetchAnswer['responses'], asked: readonly TopicPartition[]): Offsets {
  const offsets: Offsets = new Map()
  for (const { topic, partitions } of answers) {
    for (const { partition, errorCode, offset } of partitions) {
      failOn(errorCode, `topic ${topic}`)
      if (Number(offset) >= 0) offsets.set(partitionName({ topic, partition }), Number(offset))
    }
  }
  return new Map(
    asked.map(partitionName).flatMap((name) => (offsets.has(name) ? [[name, offsets.get(name)!]] : [])),
  )
}
