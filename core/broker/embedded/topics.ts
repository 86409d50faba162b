import { EventEmitter } from 'node:events'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../../store/schema.ts'
import { BrokerError, type TopicSpec } from '../broker.ts'
import { Mutex } from './mutex.ts'
import { withPatience } from './store-access.ts'
import { checkPartitions, checkTopicSpec, type TopicRules, topicRules } from './topic-rules.ts'

/** One partition as the process knows it. `begin` and `end` follow the store; only one process writes to it. */
export interface Partition {
  readonly id: number
  readonly topic: string
  readonly partition: number
  /** The offset of the first record that may still be there. */
  begin: number
  /** The offset that the next record gets. */
  end: number
}

export interface Topic {
  readonly id: number
  readonly name: string
  readonly replicas: number
  readonly config: Readonly<Record<string, string>>
  readonly rules: TopicRules
  /** In order of partition number. */
  readonly partitions: readonly Partition[]
}

interface PartitionRow {
  id: number
  topic_id: number
  partition: number
  begin_offset: number
  end_offset: number
}

type Db = Kysely<Database>

export interface TopicEvents {
  appended: []
  changed: [topic: string]
}

/**
 * The topics of the embedded broker: read from the store once, kept in memory, written through. Emits `appended` when an end
 * offset moved, and `changed` when a topic got or lost partitions.
 */
export class Topics extends EventEmitter<TopicEvents> {
  readonly #db: Db
  readonly #topics = new Map<string, Topic>()
  /** Held by whatever must not see partitions come and go: every change of topics, and every append. */
  readonly mutex = new Mutex()

  private constructor(db: Db) {
    super()
    this.#db = db
    this.setMaxListeners(0)
  }

  static async load(db: Db): Promise<Topics> {
    const topics = new Topics(db)
    for (const { name } of await db.selectFrom('broker_topics').select('name').execute()) {
      await topics.#read(name)
    }
    return topics
  }

  all(): Topic[] {
    return [...this.#topics.values()]
  }

  find(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Throws `unknown_topic`. */
  require(name: string): Topic {
    const topic = this.#topics.get(name)
    if (!topic) throw new BrokerError('unknown_topic', `topic ${name} does not exist`)
    return topic
  }

  /** False once the partition's topic was deleted. */
  has(partition: Partition): boolean {
    return this.#topics.get(partition.topic)?.partitions[partition.partition] === partition
  }

  /** Creates what is missing, all or none of it. Answers what was there before. */
  create(specs: readonly TopicSpec[]): Promise<string[]> {
    return this.#change(async () => {
      for (const spec of specs) checkTopicSpec(spec)
      const missing = specs.filter(({ name }) => !this.#topics.has(name))
      await this.#db.transaction().execute(async (tx) => {
        for (const { name, replicas, config, partitions } of missing) {
          const row = await tx
            .insertInto('broker_topics')
            .values({ name, replicas, config: JSON.stringify(config) })
            .onConflict((conflict) => conflict.column('name').doNothing())
            .returning('id')
            .executeTakeFirst()
          if (row) await addPartitions(tx, row.id, 0, partitions)
        }
      })
      for (const { name } of missing) await this.#read(name)
      return specs.filter((spec) => !missing.includes(spec)).map(({ name }) => name)
    })
  }

  /** Refuses fewer partitions than there are with `invalid`. */
  grow(name: string, partitions: number): Promise<void> {
    return this.#change(async () => {
      const topic = this.require(name)
      const present = topic.partitions.length
      checkPartitions(partitions)
      if (partitions < present) {
        throw new BrokerError('invalid', `topic ${name} has ${present} partitions and cannot shrink`)
      }
      if (partitions === present) return
      await this.#db.transaction().execute((tx) => addPartitions(tx, topic.id, present, partitions))
      await this.#read(name)
    })
  }

  /** Sets the named keys and keeps the others. */
  alterConfig(name: string, changes: Readonly<Record<string, string>>): Promise<void> {
    return this.#change(async () => {
      const topic = this.require(name)
      const config = { ...topic.config, ...changes }
      const rules = topicRules(config)
      await this.#db
        .updateTable('broker_topics')
        .set({ config: JSON.stringify(config) })
        .where('id', '=', topic.id)
        .execute()
      this.#topics.set(name, { ...topic, config, rules })
    })
  }

  /** Deletes topics with their records and the positions committed on them. */
  delete(names: readonly string[]): Promise<void> {
    return this.#change(async () => {
      const doomed = [...new Set(names)].flatMap((name) => this.#topics.get(name) ?? [])
      for (const { id, name, partitions } of doomed) {
        const ids = partitions.map((partition) => partition.id)
        await this.#db.transaction().execute(async (tx) => {
          await tx.deleteFrom('broker_offsets').where('partition_id', 'in', ids).execute()
          await tx.deleteFrom('broker_records').where('partition_id', 'in', ids).execute()
          await tx.deleteFrom('broker_partitions').where('topic_id', '=', id).execute()
          await tx.deleteFrom('broker_topics').where('id', '=', id).execute()
        })
        this.#topics.delete(name)
        this.emit('changed', name)
      }
    })
  }

  /** Records what was appended and wakes the readers. */
  advance(ends: ReadonlyMap<Partition, number>): void {
    for (const [partition, end] of ends) partition.end = end
    this.emit('appended')
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    return withPatience(() => this.mutex.run(work))
  }

  /** Takes a topic over from the store; partitions already known stay the same objects. */
  async #read(name: string): Promise<void> {
    const row = await this.#db
      .selectFrom('broker_topics')
      .selectAll()
      .where('name', '=', name)
      .executeTakeFirstOrThrow()
    const { rows } = await sql<PartitionRow>`
      SELECT id, topic_id, partition, begin_offset, end_offset
      FROM broker_partitions WHERE topic_id = ${row.id} ORDER BY partition`.execute(this.#db)
    const known = this.#topics.get(name)?.partitions ?? []
    this.#topics.set(name, {
      id: row.id,
      name,
      replicas: row.replicas,
      config: row.config,
      rules: topicRules(row.config),
      partitions: rows.map(
        ({ id, partition, begin_offset, end_offset }) =>
          known[partition] ?? { id, topic: name, partition, begin: begin_offset, end: end_offset },
      ),
    })
    this.emit('changed', name)
  }
}

async function addPartitions(tx: Db, topicId: number, from: number, to: number): Promise<void> {
  await sql`
    INSERT INTO broker_partitions (topic_id, partition)
    SELECT ${topicId}, n FROM generate_series(${from}::int, ${to - 1}::int) AS n`.execute(tx)
}
