import type {
  Broker,
  ConsumedRecord,
  RecordToProduce,
  TopicDescription,
  TopicPartition,
  TopicPartitionOffset,
} from '../../core/broker/broker.ts'
import { describeTopicChange } from '../../core/broker/reconcile-topics.ts'

type Listener = (record: ConsumedRecord) => void

/**
 * A broker that reads what there is, keeps what is written to itself, and shows it to whoever reads afterwards: so the operator goes on as if it had been done.
 * @param say gets a line for each change of a topic
 */
export function dryRunBroker(real: Broker, say: (line: string) => void): Broker {
  /** Topics that would be another than they are; undefined: they would be gone. */
  const changed = new Map<string, TopicDescription | undefined>()
  const produced = new Map<string, ConsumedRecord[]>()
  const listeners = new Map<string, Set<Listener>>()

  async function describeTopics(names: readonly string[]): Promise<TopicDescription[]> {
    const unchanged = await real.admin.describeTopics(names.filter((name) => !changed.has(name)))
    return [...unchanged, ...names.flatMap((name) => changed.get(name) ?? [])]
  }

  async function describe(name: string): Promise<TopicDescription> {
    const [topic] = await describeTopics([name])
    if (topic === undefined) throw new Error(`there is no topic ${name}`)
    return topic
  }

  /** Those of some topics that would be made: they are empty, because nothing that is written here gets to them. */
  async function madeOf(names: readonly string[]): Promise<TopicDescription[]> {
    const planned = [...new Set(names)].flatMap((name) => changed.get(name) ?? [])
    const there = await real.admin.describeTopics(planned.map(({ name }) => name))
    return planned.filter(({ name }) => !there.some((topic) => topic.name === name))
  }

  return {
    admin: {
      async lag(subscriptions) {
        const made = await madeOf(subscriptions.flatMap(({ topics }) => topics))
        const isMade = (topic: string) => made.some(({ name }) => name === topic)
        const actual = await real.admin.lag(
          subscriptions.map(({ group, topics }) => ({
            group,
            topics: topics.filter((topic) => !isMade(topic)),
          })),
        )
        const empty = subscriptions.flatMap(({ group, topics }) =>
          made
            .filter(({ name }) => topics.includes(name))
            .flatMap(partitionsOf)
            .map((place) => ({ group, ...place, beginning: 0, end: 0, committed: null, lag: 0 })),
        )
        return [...actual, ...empty]
      },
      async offsetsAt(points) {
        const made = await madeOf(points.map(({ topic }) => topic))
        const isMade = ({ topic }: { topic: string }) => made.some(({ name }) => name === topic)
        const actual = await real.admin.offsetsAt(points.filter((point) => !isMade(point)))
        return [...actual, ...made.flatMap(partitionsOf).map((place) => ({ ...place, offset: 0 }))]
      },
      describeTopics,
      async createTopics(specs) {
        const existing = new Set(
          (await describeTopics(specs.map(({ name }) => name))).map(({ name }) => name),
        )
        for (const spec of specs.filter(({ name }) => !existing.has(name))) {
          changed.set(spec.name, spec)
          say(describeTopicChange({ kind: 'create', spec }))
        }
        return [...existing]
      },
      async listTopics(prefix) {
        const names = [...(await real.admin.listTopics(prefix)), ...changed.keys()]
        return [...new Set(names)].filter(
          (name) => name.startsWith(prefix) && !(changed.has(name) && changed.get(name) === undefined),
        )
      },
      async growPartitions(topic, to) {
        const before = await describe(topic)
        changed.set(topic, { ...before, partitions: to })
        say(describeTopicChange({ kind: 'grow', topic, from: before.partitions, to }))
      },
      async alterConfig(topic, config) {
        const before = await describe(topic)
        changed.set(topic, { ...before, config: { ...before.config, ...config } })
        say(describeTopicChange({ kind: 'configure', topic, config }))
      },
      async deleteTopics(names) {
        for (const { name } of await describeTopics(names)) {
          changed.set(name, undefined)
          say(`Topic ${name} deleted`)
        }
      },
    },
    producer: {
      produce: async (records) => records.map((record) => hand(record)),
    },
    async follow(topic, onRecord) {
      const isReal = (await real.admin.describeTopics([topic])).length > 0
      const follower = isReal ? await real.follow(topic, onRecord) : undefined
      for (const record of produced.get(topic) ?? []) onRecord(record)
      const following = listeners.get(topic) ?? new Set()
      listeners.set(topic, following.add(onRecord))
      return {
        async close() {
          following.delete(onRecord)
          await follower?.close()
        },
      }
    },
    consumer() {
      throw new Error('a dry run consumes nothing')
    },
    close: () => real.close(),
  }

  function hand({ topic, key, value, headers = {} }: RecordToProduce): TopicPartitionOffset {
    const earlier = produced.get(topic) ?? []
    const record = { topic, partition: 0, offset: earlier.length, key, value, headers, timestamp: Date.now() }
    produced.set(topic, [...earlier, record])
    for (const listener of listeners.get(topic) ?? []) listener(record)
    return record
  }
}

function partitionsOf({ name: topic, partitions }: TopicDescription): TopicPartition[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
}
