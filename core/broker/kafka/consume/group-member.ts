import { assignRoundRobin } from '../../assignor.ts'
import type { TopicPartition, TopicPartitionOffset } from '../../broker.ts'
import { MemberAssignment, MemberMetadata } from '../kafkajs.ts'
import { byTopic, committedOffsets, type Offsets } from '../offsets.ts'
import { TopicMap } from '../topic-map.ts'
import { failOn, KafkaError } from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'

/** Milliseconds after which the group gives up a member that is silent. Three heartbeats may be lost to a busy machine and more. */
const SESSION_TIMEOUT_MS = 15_000
/** Milliseconds that the group waits for its members to come back when it shares out anew. */
const REBALANCE_TIMEOUT_MS = 15_000

/** Members agree on who shares out how by this name; ours all have the same. */
const PROTOCOL = 'roundrobin'
const CONSUMER_PROTOCOL_VERSION = 0

interface JoinAnswer {
  errorCode: number
  generationId: number
  leaderId: string
  memberId: string
  members: { memberId: string; memberMetadata: Buffer }[]
}

/** What a member got from its group: valid until the group shares out again. */
export interface Share {
  readonly generation: number
  readonly partitions: readonly TopicPartition[]
  /** The partition counts by which the group was shared out, when this member did it: others may be due. */
  readonly counts: ReadonlyMap<string, number> | undefined
}

/** Kafka's protocol of consumer groups, seen from one member. Every failure is a rejection; nothing is tried again. */
export class GroupMember {
  readonly #wire: Wire
  readonly #group: string
  readonly #topics: readonly string[]
  #coordinator: number | undefined
  #memberId = ''

  constructor({ wire, group, topics }: { wire: Wire; group: string; topics: readonly string[] }) {
    this.#wire = wire
    this.#group = group
    this.#topics = topics
  }

  /** Joins, or joins again, and gets its share once the group has settled. */
  async join(): Promise<Share> {
    let joined = await this.#askToJoin()
    if (new KafkaError(joined.errorCode, '').type === 'MEMBER_ID_REQUIRED') {
      this.#memberId = joined.memberId
      joined = await this.#askToJoin()
    }
    this.#failOn(joined.errorCode)
    this.#memberId = joined.memberId
    const leads = joined.leaderId === joined.memberId
    const plan = leads ? await this.#plan(joined) : undefined
    const answer = await this.#ask<{ errorCode: number; memberAssignment: Buffer }>('SyncGroup', {
      generationId: joined.generationId,
      groupAssignment: plan?.assignment ?? [],
    })
    this.#failOn(answer.errorCode)
    const assigned = MemberAssignment.decode(answer.memberAssignment)?.assignment ?? {}
    const partitions = Object.entries(assigned).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    )
    return { generation: joined.generationId, partitions, counts: plan?.counts }
  }

  /** Tells the group that this member lives. Rejects when it has to join again. */
  async heartbeat({ generation }: Share): Promise<void> {
    const answer = await this.#ask<{ errorCode: number }>('Heartbeat', { groupGenerationId: generation })
    this.#failOn(answer.errorCode)
  }

  /** The committed positions of its partitions; one without is absent. */
  async committed({ partitions }: Share): Promise<Offsets> {
    return await committedOffsets(this.#wire, await this.#findCoordinator(), this.#group, partitions)
  }

  /** Commits under the generation of the share: a group that has moved on refuses it. */
  async commit({ generation }: Share, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const answer = await this.#ask<{ responses: { partitions: { errorCode: number }[] }[] }>('OffsetCommit', {
      groupGenerationId: generation,
      topics: byTopic(offsets, ({ partition, offset }) => ({ partition, offset: String(offset) })),
    })
    for (const { partitions } of answer.responses) {
      for (const { errorCode } of partitions) this.#failOn(errorCode)
    }
  }

  /** Leaves the group, also while a join waits for others. */
  async leave(): Promise<void> {
    if (this.#memberId === '' || this.#coordinator === undefined) return
    // The other connection: one that waits for a join answers nothing else.
    await this.#wire.ask(
      this.#coordinator,
      'LeaveGroup',
      { groupId: this.#group, memberId: this.#memberId },
      'reading',
    )
  }

  async #findCoordinator(): Promise<number> {
    this.#coordinator ??= await this.#wire.coordinator(this.#group)
    return this.#coordinator
  }

  #askToJoin(): Promise<JoinAnswer> {
    return this.#ask<JoinAnswer>('JoinGroup', {
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      protocolType: 'consumer',
      groupProtocols: [
        {
          name: PROTOCOL,
          metadata: MemberMetadata.encode({
            version: CONSUMER_PROTOCOL_VERSION,
            topics: [...this.#topics],
            userData: Buffer.alloc(0),
          }),
        },
      ],
    })
  }

  async #ask<Answer>(api: Parameters<Wire['ask']>[1], args: object): Promise<Answer> {
    const coordinator = await this.#findCoordinator()
    try {
      const identity = { groupId: this.#group, memberId: this.#memberId }
      return await this.#wire.ask<Answer>(coordinator, api, { ...identity, ...args })
    } catch (error) {
      // It may be gone, and the group with another one.
      this.#coordinator = undefined
      throw error
    }
  }

  #failOn(code: number): void {
    if (code === 0) return
    const { type } = new KafkaError(code, '')
    if (type === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
    if (type === 'NOT_COORDINATOR_FOR_GROUP' || type === 'GROUP_COORDINATOR_NOT_AVAILABLE') {
      this.#coordinator = undefined
    }
    failOn(code, `group ${this.#group}`)
  }

  async #plan({ members }: JoinAnswer) {
    const subscribers = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      topics: MemberMetadata.decode(memberMetadata)?.topics ?? [],
    }))
    const topics = new TopicMap(this.#wire)
    for (const topic of subscribers.flatMap((subscriber) => subscriber.topics)) topics.add(topic)
    await topics.refresh()
    const counts = new Map<string, number>()
    const shares = assignRoundRobin(subscribers, (topic) => {
      const partitions = topics.get(topic)?.partitions ?? []
      counts.set(topic, partitions.length)
      return partitions.map(({ partition }) => ({ topic, partition }))
    })
    const assignment = [...shares].map(([{ memberId }, partitions]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: CONSUMER_PROTOCOL_VERSION,
        assignment: Object.fromEntries(
          byTopic(partitions, ({ partition }) => partition).map((share) => [share.topic, share.partitions]),
        ),
        userData: Buffer.alloc(0),
      }),
    }))
    return { assignment, counts }
  }
}
