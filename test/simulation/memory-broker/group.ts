import { assignRoundRobin } from '../../../core/broker/assignor.ts'
import { BrokerError, type TopicPartitionOffset } from '../../../core/broker/broker.ts'
import type { Link } from './cluster.ts'
import type { MemoryLog, MemoryPartition } from './log.ts'

/** A member as its group sees it. Calls go over the member's link, so they take time, and a member that is frozen answers late or never. */
export interface GroupMember {
  readonly topics: readonly string[]
  readonly link: Link
  /** The assignment is over; calls back when the member knows. */
  revoke(acknowledge: () => void): void
  /** It was silent for too long and is thrown out: it learns of that when it can. */
  evicted(): void
  /** There may be something to read. */
  fetch(): void
  assign(epoch: number, partitions: readonly { partition: MemoryPartition; position: number }[]): void
}

/**
 * A consumer group on the side of the cluster, with Kafka's eager rebalance: it deals the partitions anew once every
 * member has given up its own, or has been thrown out for its silence.
 */
export class MemoryGroup {
  readonly #log: MemoryLog
  readonly #onCommit: (partition: MemoryPartition, offset: number) => void
  readonly committed = new Map<MemoryPartition, number>()
  readonly #members = new Set<GroupMember>()
  readonly #owned = new Map<GroupMember, ReadonlySet<MemoryPartition>>()
  readonly #awaited = new Set<GroupMember>()
  #rebalancing = false
  #epoch = 0

  /** @param onCommit is shown every position before it is written */
  constructor(log: MemoryLog, onCommit: (partition: MemoryPartition, offset: number) => void) {
    this.#log = log
    this.#onCommit = onCommit
  }

  join(member: GroupMember): void {
    for (const topic of member.topics) this.#log.require(topic)
    this.#members.add(member)
    this.rebalance()
  }

  leave(member: GroupMember): void {
    if (!this.#members.delete(member)) return
    this.#awaited.delete(member)
    this.rebalance()
  }

  /** The members behind this link have been silent for longer than a session may be. */
  evict(link: Link): void {
    for (const member of [...this.#members].filter((member) => member.link === link)) {
      this.leave(member)
      member.evicted()
    }
  }

  wake(): void {
    for (const member of this.#members) member.fetch()
  }

  subscribes(topic: string): boolean {
    return [...this.#members].some(({ topics }) => topics.includes(topic))
  }

  rebalance(): void {
    if (!this.#rebalancing) {
      this.#rebalancing = true
      for (const member of this.#owned.keys()) {
        if (!this.#members.has(member)) continue
        this.#awaited.add(member)
        member.revoke(() => {
          this.#awaited.delete(member)
          this.#deal()
        })
      }
    }
    this.#deal()
  }

  /** What the broker itself checks of a commit: that the generation is the present one. */
  commit(member: GroupMember, epoch: number, offsets: readonly TopicPartitionOffset[]): void {
    const owned = this.#owned.get(member)
    if (!this.#members.has(member) || epoch !== this.#epoch || owned === undefined)
      throw new BrokerError('stale_epoch', `epoch ${epoch} is over`)
    const positions = offsets.map(({ topic, partition, offset }) => {
      const found = this.#log.find(topic)?.partitions[partition]
      if (found === undefined || !owned.has(found))
        throw new BrokerError('stale_epoch', `${topic}/${partition} is not owned`)
      return [found, offset] as const
    })
    for (const [partition, offset] of positions) this.overwrite(partition, offset)
  }

  /** Moves a position without asking whose partition it is, as a broker does for a client that names no generation. */
  overwrite(partition: MemoryPartition, offset: number): void {
    this.#onCommit(partition, offset)
    this.committed.set(partition, offset)
  }

  #deal(): void {
    if (!this.#rebalancing || this.#awaited.size > 0) return
    this.#rebalancing = false
    this.#epoch++
    this.#owned.clear()
    const partitionsOf = (topic: string) => this.#log.find(topic)?.partitions ?? []
    if (this.#members.size === 0) return
    for (const [member, partitions] of assignRoundRobin([...this.#members], partitionsOf)) {
      this.#owned.set(member, new Set(partitions))
      member.assign(
        this.#epoch,
        partitions.map((partition) => ({
          partition,
          position: this.committed.get(partition) ?? partition.begin,
        })),
      )
    }
  }
}
