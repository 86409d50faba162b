import { assignRoundRobin, type Subscriber } from '../assignor.ts'
import type { Partition } from './topics.ts'

/** A consumer as its group sees it. */
export interface Member extends Subscriber {
  /** The assignment before is over. */
  revoke(): void
  assign(epoch: number, partitions: readonly Partition[]): void
}

export interface GroupOptions {
  partitionsOf: (topic: string) => readonly Partition[]
  /** Resolves when no commit of the group is under way. */
  commitsSettled: () => Promise<void>
}

/**
 * A consumer group with Kafka's eager rebalance: every change revokes all assignments, waits for commits that were accepted before,
 * and deals all partitions anew under the next epoch.
 */
export class Group {
  readonly #options: GroupOptions
  readonly #members = new Set<Member>()
  #epoch = 0
  #wanted = false
  #rebalancing: Promise<void> | undefined

  constructor(options: GroupOptions) {
    this.#options = options
  }

  join(member: Member): void {
    this.#members.add(member)
    this.rebalance()
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.rebalance()
  }

  subscribes(topic: string): boolean {
    return [...this.#members].some(({ topics }) => topics.includes(topic))
  }

  /** Deals all partitions anew, soon; wishes that come together are granted together. */
  rebalance(): void {
    this.#wanted = true
    this.#rebalancing ??= this.#run().finally(() => (this.#rebalancing = undefined))
  }

  /** Resolves when no rebalance is under way. */
  async settled(): Promise<void> {
    await this.#rebalancing
  }

  async #run(): Promise<void> {
    // Never within the call that asked for it: a handler may be what called.
    await Promise.resolve()
    while (this.#wanted) {
      this.#wanted = false
      for (const member of this.#members) member.revoke()
      await this.#options.commitsSettled()
      if (this.#wanted) continue
      this.#epoch++
      const shares = assignRoundRobin([...this.#members], this.#options.partitionsOf)
      for (const [member, partitions] of shares) {
        if (this.#members.has(member)) member.assign(this.#epoch, partitions)
      }
    }
  }
}
