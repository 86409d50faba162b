import { z } from 'zod'
import { duration } from '../duration.ts'
import { map } from '../resource.ts'
import { withChangeRule, withRules } from '../rule.ts'

const nameText = withRules(z.string().max(200), [
  {
    // Kafka: 249 of these characters, neither `.` nor `..` (org.apache.kafka.common.internals.Topic); 49 are left for `.retry.<delay>`.
    cel: "self.matches('^[a-zA-Z0-9._-]*$') && self != '.' && self != '..'",
    message: 'must consist of letters, digits, dots, dashes and underscores',
    holds: (text) => /^[a-zA-Z0-9._-]*$/.test(text) && text !== '.' && text !== '..',
  },
  {
    // __consumer_offsets and __transaction_state: with the settings of a channel a cluster would lose what it has consumed.
    cel: "!self.startsWith('__')",
    message: "must not begin with two underscores: such topics are Kafka's own",
    holds: (text) => !text.startsWith('__'),
  },
])

const name = withChangeRule(nameText, {
  cel: 'self == oldSelf',
  message: 'is immutable: what is on the old topics would never be delivered',
  allows: (before, after) => before === after,
})

const partitions = withChangeRule(z.int().min(1).max(1000), {
  cel: 'self >= oldSelf',
  message: 'may grow, never shrink',
  allows: (before, after) => after >= before,
})

const config = withRules(map(z.string().max(1000), 50), [
  {
    cel: "!('retention.ms' in self) && !('cleanup.policy' in self)",
    message:
      'retention.ms and cleanup.policy are not set here: the first is topic.retention, the second is fixed',
    holds: (entries) => !('retention.ms' in entries) && !('cleanup.policy' in entries),
  },
])

/** `spec.topic`: where Kafka keeps the channel's messages. */
export const topic = z
  .strictObject({
    name: name
      .default('')
      .describe(
        'Name of the main topic. Empty means <prefix>.<namespace>.<name>. Retry and dead letter topics append to it. Immutable.',
      ),
    partitions: partitions
      .default(3)
      .describe(
        'Partitions of the main topic, and so the most workers that can share it. Grows, never shrinks.',
      ),
    replicas: z
      .int()
      .min(1)
      .max(10)
      .default(3)
      .describe(
        'Replicas of each partition where a topic is made; no more than the install gives (CARILLON_TOPIC_REPLICAS). Those of a topic that is there already stay as they are.',
      ),
    retention: duration('1h', '8760h').default('168h').describe('How long Kafka keeps a message.'),
    config: config.default({}).describe('Further settings of the topics, such as min.insync.replicas.'),
    deletionPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .describe(
        'What becomes of the topics that were made for the channel when it is deleted. Adopted ones stay.',
      ),
  })
  .prefault({})
  .describe('The Kafka topics of the channel.')
