import type { Admin, TopicDescription, TopicSpec } from './broker.ts'

/** What it takes to make a topic what its spec says. */
export type TopicChange =
  | { kind: 'create'; spec: TopicSpec }
  | { kind: 'grow'; topic: string; from: number; to: number }
  /** Only the keys that differ. */
  | { kind: 'configure'; topic: string; config: Record<string, string> }

export interface TopicPlan {
  /** In the order in which they are to be made. Empty: all is as it should be. */
  changes: TopicChange[]
  /** What cannot be made so. One line each. */
  problems: string[]
}

/**
 * Compares topics with what they should be. Pure. Configuration that no spec names is somebody else's and stays. Partitions are never
 * taken away, as Kafka cannot, and the copies of a topic that exists are moved by its operator, not by us: both are problems.
 */
export function planTopics(specs: readonly TopicSpec[], found: readonly TopicDescription[]): TopicPlan {
  const existing = new Map(found.map((topic) => [topic.name, topic]))
  const plan: TopicPlan = { changes: [], problems: [] }
  for (const spec of specs) {
    const { name } = spec
    const topic = existing.get(name)
    if (topic === undefined) {
      plan.changes.push({ kind: 'create', spec })
      continue
    }
    if (spec.partitions < topic.partitions)
      plan.problems.push(
        `topic ${name} has ${topic.partitions} partitions and cannot shrink to ${spec.partitions}: set topic.partitions to ${topic.partitions}`,
      )
    if (spec.replicas > topic.replicas)
      plan.problems.push(
        `topic ${name} has ${topic.replicas} of the ${spec.replicas} copies asked for; kafka-reassign-partitions adds them`,
      )
    if (spec.partitions > topic.partitions)
      plan.changes.push({ kind: 'grow', topic: name, from: topic.partitions, to: spec.partitions })
    const config = Object.entries(spec.config).filter(([key, value]) => topic.config[key] !== value)
    if (config.length > 0)
      plan.changes.push({ kind: 'configure', topic: name, config: Object.fromEntries(config) })
  }
  return plan
}

/** Makes the changes, one after the other: when one fails, planning again finds what is left. Rejects with a BrokerError. */
export async function applyTopicChanges(
  admin: Pick<Admin, 'createTopics' | 'growPartitions' | 'alterConfig'>,
  changes: readonly TopicChange[],
): Promise<void> {
  const missing = changes.flatMap((change) => (change.kind === 'create' ? [change.spec] : []))
  if (missing.length > 0) await admin.createTopics(missing)
  for (const change of changes) {
    if (change.kind === 'grow') await admin.growPartitions(change.topic, change.to)
    if (change.kind === 'configure') await admin.alterConfig(change.topic, change.config)
  }
}

/** One line: `Topic shop.email configured: 3 -> 5 partitions`. */
export function describeTopicChange(change: TopicChange): string {
  switch (change.kind) {
    case 'create':
      return `Topic ${change.spec.name} created`
    case 'grow':
      return `Topic ${change.topic} configured: ${change.from} -> ${change.to} partitions`
    case 'configure': {
      const entries = Object.entries(change.config).map(([key, value]) => `${key}=${value}`)
      return `Topic ${change.topic} configured: ${entries.join(', ')}`
    }
  }
}
