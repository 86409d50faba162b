import { isDeepStrictEqual } from 'node:util'
import type { Broker, ConsumedRecord, Follower, RecordToProduce } from '../broker/broker.ts'
import { produceAndRead } from '../broker/produce-and-read.ts'
import { ownershipTopic } from '../notification/topics.ts'
import type { Logger } from '../observability/logger.ts'
import { type Install, installRecord, markRecord, readOwnershipRecord, type TopicMark } from './records.ts'

export interface OwnershipOptions {
  broker: Broker
  prefix: string
  /** Who asks. */
  install: Install
  logger: Logger
  /** Throws when nothing may be written any more. */
  beforeWrite: () => void
}

/** Another install has taken the prefix over: nothing may be written below it any more. */
export class PrefixTaken extends Error {
  override readonly name = 'PrefixTaken'
}

/** What is written down of a prefix: whose it is, and which topics are whose. Read whole at the start, and followed. */
export class Ownership {
  readonly #options: OwnershipOptions
  readonly #marks = new Map<string, TopicMark>()
  readonly #listeners = new Set<() => void>()
  #install: Install | undefined
  #isEmpty = true
  #follower: Follower | undefined

  private constructor(options: OwnershipOptions) {
    this.#options = options
  }

  /** Rejects with a BrokerError; `unknown_topic` when nothing was ever written down. */
  static async open(options: OwnershipOptions): Promise<Ownership> {
    const ownership = new Ownership(options)
    const { broker, prefix } = options
    ownership.#follower = await broker.follow(ownershipTopic(prefix), (record) => ownership.#read(record))
    return ownership
  }

  /** Whose the prefix is. */
  get install(): Install | undefined {
    return this.#install
  }

  /** By name of the topic. */
  get marks(): ReadonlyMap<string, TopicMark> {
    return this.#marks
  }

  /** Whether nothing at all was ever written down. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whether the prefix is this install's. */
  get isOurs(): boolean {
    return this.#install?.id === this.#options.install.id
  }

  /**
   * To be called before every write below the prefix, with nothing awaited in between. Throws PrefixTaken when it is another install's, and what `beforeWrite` does.
   */
  readonly assertOurs = (): void => {
    this.#options.beforeWrite()
    if (!this.isOurs) throw this.taken
  }

  /** What is said once another install has the prefix. */
  get taken(): PrefixTaken {
    return new PrefixTaken(`the prefix ${this.#options.prefix} was taken over by ${this.#install?.name}`)
  }

  /** Makes the prefix this install's, whosever it was. Resolves once it is read back, as {@link mark} does. */
  async claim(signal: AbortSignal): Promise<void> {
    const { prefix, install, beforeWrite } = this.#options
    beforeWrite()
    const record = installRecord(prefix, install)
    await this.#write([record], () => isDeepStrictEqual(this.#install, install), signal)
  }

  /**
   * Writes marks, or takes them back where there is none; writes nothing that is so already. Resolves once it is read back. Rejects with a
   * BrokerError, with PrefixTaken, or with the signal's reason.
   */
  async mark(changes: readonly [topic: string, mark: TopicMark | undefined][], signal: AbortSignal) {
    const differs = ([topic, mark]: (typeof changes)[number]) =>
      !isDeepStrictEqual(this.#marks.get(topic), mark)
    const records = changes
      .filter(differs)
      .map(([topic, mark]) => markRecord(this.#options.prefix, topic, mark))
    if (records.length === 0) return
    this.assertOurs()
    await this.#write(records, () => !changes.some(differs), signal)
  }

  /** Stops following. */
  async close(): Promise<void> {
    await this.#follower?.close()
  }

  async #write(
    records: readonly RecordToProduce[],
    isRead: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { producer } = this.#options.broker
    await produceAndRead(
      { producer, records, isRead, onChange: (listener) => this.onChange(listener) },
      signal,
    )
  }

  #read(record: ConsumedRecord): void {
    this.#isEmpty = false
    const read = readOwnershipRecord(record)
    if (read.kind === 'unreadable') {
      // A topic whose mark cannot be read counts as nobody's, and is left alone.
      const { key, offset } = record
      this.#options.logger.error({ key, offset }, 'Record of ownership ignored: not of this version')
      return
    }
    if (read.kind === 'install') this.#install = read.install
    else if (read.mark === undefined) this.#marks.delete(read.topic)
    // Nobody begins to create what is there: a leader that was frozen has written this late.
    else if (
      read.mark.state !== 'creating' ||
      (this.#marks.get(read.topic)?.state ?? 'creating') === 'creating'
    )
      this.#marks.set(read.topic, read.mark)
    for (const listener of this.#listeners) listener()
  }
}
