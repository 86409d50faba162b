import {
  BrokerError,
  type ConsumedRecord,
  type RecordToProduce,
  type TopicPartition,
  type TopicPartitionOffset,
  type TopicSpec,
} from '../../../core/broker/broker.ts'
import {
  checkPartitions,
  checkTopicSpec,
  type TopicRules,
  topicRules,
} from '../../../core/broker/embedded/topic-rules.ts'
import { partitionForKey } from '../../../core/broker/partitioner.ts'

export interface MemoryPartition extends TopicPartition {
  records: ConsumedRecord[]
  begin: number
  /** Above every offset that was ever used. */
  end: number
}

export interface MemoryTopic {
  spec: TopicSpec
  rules: TopicRules
  partitions: MemoryPartition[]
}

/** Topics and their records in memory. */
export class MemoryLog {
  readonly #topics = new Map<string, MemoryTopic>()
  readonly #gaps: boolean

  /** @param gaps whether offsets are left out, as transaction markers do in Kafka */
  constructor(gaps: boolean) {
    this.#gaps = gaps
  }

  names(): string[] {
    return [...this.#topics.keys()]
  }

  find(name: string): MemoryTopic | undefined {
    return this.#topics.get(name)
  }

  require(name: string): MemoryTopic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new BrokerError('unknown_topic', `there is no topic ${name}`)
    return topic
  }

  /** Answers what was there before. */
  create(specs: readonly TopicSpec[]): string[] {
    for (const spec of specs) checkTopicSpec(spec)
    const before = specs.map(({ name }) => name).filter((name) => this.#topics.has(name))
    for (const spec of specs) {
      if (this.#topics.has(spec.name)) continue
      this.#topics.set(spec.name, { spec, rules: topicRules(spec.config), partitions: [] })
      this.#extend(spec.name, spec.partitions)
    }
    return before
  }

  grow(name: string, count: number): void {
    const { partitions } = this.require(name)
    checkPartitions(count)
    if (count < partitions.length) throw new BrokerError('invalid', 'a topic cannot shrink')
    this.#extend(name, count)
  }

  alterConfig(name: string, changes: Readonly<Record<string, string>>): void {
    const topic = this.require(name)
    const config = { ...topic.spec.config, ...changes }
    topic.rules = topicRules(config)
    topic.spec = { ...topic.spec, config }
  }

  delete(name: string): MemoryPartition[] {
    const partitions = this.#topics.get(name)?.partitions ?? []
    this.#topics.delete(name)
    return partitions
  }

  /** Appends all or nothing. */
  append(records: readonly RecordToProduce[], timestamp: number): TopicPartitionOffset[] {
    const targets = records.map((record) => this.#target(record))
    return records.map(({ topic, key, value, headers = {} }, index) => {
      const target = targets[index]!
      const { partition } = target
      const offset = this.#gaps && target.end % 3 === 2 ? target.end + 1 : target.end
      target.end = offset + 1
      target.records.push({ topic, partition, offset, key, value, headers, timestamp })
      return { topic, partition, offset }
    })
  }

  /** Retention and compaction, at once. */
  clean(now: number): void {
    for (const { rules, partitions } of this.#topics.values()) {
      for (const partition of partitions) {
        if (rules.retentionMs !== null) expire(partition, now - rules.retentionMs)
        if (rules.compacted) compact(partition, now - rules.deleteRetentionMs)
      }
    }
  }

  #target({ topic: name, key, partition, value }: RecordToProduce): MemoryPartition {
    const { partitions, rules } = this.require(name)
    const number = partition ?? (key === null ? 0 : partitionForKey(key, partitions.length))
    const target = partitions[number]
    if (target === undefined) throw new BrokerError('unknown_topic', `${name} has no partition ${number}`)
    if ((value?.length ?? 0) > rules.maxMessageBytes)
      throw new BrokerError('record_too_large', `a record for ${name} is too large`)
    if (key === null && rules.compacted)
      throw new BrokerError('invalid_record', `a record for ${name} has no key`)
    return target
  }

  #extend(name: string, count: number): void {
    const { partitions } = this.require(name)
    while (partitions.length < count)
      partitions.push({ topic: name, partition: partitions.length, records: [], begin: 0, end: 0 })
  }
}

function expire(partition: MemoryPartition, cutoff: number): void {
  const young = partition.records.findIndex(({ timestamp }) => timestamp >= cutoff)
  partition.begin = young < 0 ? partition.end : partition.records[young]!.offset
  partition.records = young < 0 ? [] : partition.records.slice(young)
}

function compact(partition: MemoryPartition, cutoff: number): void {
  const newest = new Map(partition.records.map(({ key, offset }) => [key, offset]))
  partition.records = partition.records.filter(
    ({ key, offset, value, timestamp }) =>
      key === null || (newest.get(key) === offset && (value !== null || timestamp >= cutoff)),
  )
}
