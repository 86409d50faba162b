import { BrokerError, type RecordToProduce } from '../../broker.ts'
import { partitionForKey } from '../../partitioner.ts'
import { PATIENCE_MS, UNKNOWN_TOPIC_PATIENCE_MS } from '../patience.ts'
import type { TopicMap } from '../topic-map.ts'
import { KafkaError, toBrokerError, UNKNOWN_TOPIC_OR_PARTITION } from '../wire/kafka-error.ts'
import { Lane, type Outgoing } from './lane.ts'

/** Everything that a producer has taken and not got rid of: a lane for each partition, and the records of topics of which nothing is known yet. */
export class Outbox {
  readonly #topics: TopicMap
  readonly #lanes = new Map<string, Map<number, Lane>>()
  readonly #unplaced = new Map<string, { record: RecordToProduce; outgoing: Outgoing }[]>()
  #keyless = 0

  constructor(topics: TopicMap) {
    this.#topics = topics
  }

  /** Whether anything waits to learn where its topic is. */
  get hasUnplaced(): boolean {
    return this.#unplaced.size > 0
  }

  *lanes(): Iterable<Lane> {
    for (const lanes of this.#lanes.values()) yield* lanes.values()
  }

  /** Records of one topic stay in order, also while nothing is known of it. */
  add(record: RecordToProduce, outgoing: Outgoing): void {
    const { topic } = record
    const queue = this.#unplaced.get(topic)
    const place = this.#topics.get(topic)
    if (queue || place === undefined || place.partitions.length === 0) {
      this.#topics.add(topic)
      if (queue) queue.push({ record, outgoing })
      else this.#unplaced.set(topic, [{ record, outgoing }])
      return
    }
    this.#lane(topic, this.#choose(record, place.partitions.length)).push(outgoing)
  }

  #choose({ key, partition }: RecordToProduce, partitions: number): number {
    if (partition !== undefined) return partition
    return key === null ? this.#keyless++ % partitions : partitionForKey(key, partitions)
  }

  #lane(topic: string, partition: number): Lane {
    const lanes = this.#lanes.get(topic) ?? new Map<number, Lane>()
    this.#lanes.set(topic, lanes)
    const lane = lanes.get(partition) ?? new Lane(topic, partition)
    lanes.set(partition, lane)
    return lane
  }

  /** Moves to their lanes the records of topics that are known by now. */
  placeKnown(): void {
    for (const [topic, queue] of this.#unplaced) {
      const place = this.#topics.get(topic)
      if (place === undefined || place.partitions.length === 0) continue
      this.#unplaced.delete(topic)
      for (const { record, outgoing } of queue) this.add(record, outgoing)
    }
  }

  /** What nobody waits for any more must not fill the memory while a partition has no leader. */
  forgetSettled(): void {
    for (const lane of this.lanes()) lane.dropSettled()
    for (const [topic, queue] of this.#unplaced) {
      const left = queue.filter(({ outgoing }) => !outgoing.call.settled)
      if (left.length > 0) this.#unplaced.set(topic, left)
      else this.#unplaced.delete(topic)
    }
  }

  /** Brokers deny a topic that they have not heard of yet: only a lasting no is one. */
  giveUpUnknown(): void {
    const now = performance.now()
    for (const [topic, queue] of this.#unplaced) {
      const code = this.#topics.get(topic)?.error ?? 0
      if (code === 0) continue
      const error = new KafkaError(code, `topic ${topic}`)
      const failure = toBrokerError(error)
      const patience = failure.code === 'unknown_topic' ? UNKNOWN_TOPIC_PATIENCE_MS : PATIENCE_MS
      for (const { outgoing } of queue) {
        const { call } = outgoing
        if (!error.retriable || now - call.begun > patience) call.reject(failure)
      }
    }
    for (const [topic, lanes] of this.#lanes) {
      const place = this.#topics.get(topic)
      if (place === undefined || (place.error !== 0 && place.error !== UNKNOWN_TOPIC_OR_PARTITION)) continue
      for (const lane of lanes.values()) {
        if (lane.partition < place.partitions.length) lane.unknownSince = undefined
        else if (!lane.empty) {
          lane.unknownSince ??= now
          if (lane.inFlight || now - lane.unknownSince < UNKNOWN_TOPIC_PATIENCE_MS) continue
          lane.fail(new BrokerError('unknown_topic', `topic ${topic} has no partition ${lane.partition}`))
          lanes.delete(lane.partition)
        }
      }
    }
    this.forgetSettled()
  }
}
