import { BrokerError, type TopicSpec } from '../broker.ts'

/** Kafka's default of `max.message.bytes`. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
/** Kafka's defaults: a week for records, a day for tombstones. */
const DEFAULT_RETENTION_MS = 604_800_000
const DEFAULT_DELETE_RETENTION_MS = 86_400_000

type Config = Readonly<Record<string, string>>

/** What the embedded broker makes of a topic's configuration; every other key is kept and has no effect. */
export interface TopicRules {
  compacted: boolean
  /** Milliseconds that a record is kept, or `null` for ever. */
  retentionMs: number | null
  /** Milliseconds that a tombstone is kept. */
  deleteRetentionMs: number
  maxMessageBytes: number
}

/** Reads a topic's configuration as Kafka does. Throws `invalid` for a value that Kafka would refuse. */
export function topicRules(config: Config): TopicRules {
  const policies = (config['cleanup.policy'] ?? 'delete').split(',').map((policy) => policy.trim())
  if (policies.some((policy) => policy !== 'compact' && policy !== 'delete')) {
    throw new BrokerError('invalid', 'cleanup.policy must be compact, delete or both')
  }
  const retentionMs = integer(config, 'retention.ms', DEFAULT_RETENTION_MS, -1)
  return {
    compacted: policies.includes('compact'),
    retentionMs: policies.includes('delete') && retentionMs >= 0 ? retentionMs : null,
    deleteRetentionMs: integer(config, 'delete.retention.ms', DEFAULT_DELETE_RETENTION_MS, 0),
    maxMessageBytes: integer(config, 'max.message.bytes', DEFAULT_MAX_MESSAGE_BYTES, 0),
  }
}

/** Throws `invalid` for a topic that Kafka would refuse. */
export function checkTopicSpec({ name, partitions, replicas, config }: TopicSpec): void {
  // org.apache.kafka.common.internals.Topic#validate
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === '.' || name === '..') {
    throw new BrokerError(
      'invalid',
      'a topic name has 1 to 249 characters of a-z, A-Z, 0-9, ".", "_" and "-"',
    )
  }
  checkPartitions(partitions)
  if (!Number.isInteger(replicas) || replicas < 1) {
    throw new BrokerError('invalid', 'a topic has at least 1 replica')
  }
  topicRules(config)
}

/** Throws `invalid` unless `partitions` is a count that a topic can have. */
export function checkPartitions(partitions: number): void {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000) {
    throw new BrokerError('invalid', 'a topic has 1 to 10000 partitions')
  }
}

function integer(config: Config, name: string, fallback: number, least: number): number {
  const text = config[name]
  if (text === undefined) return fallback
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new BrokerError('invalid', `${name} must be an integer of at least ${least}`)
  }
  return value
}
