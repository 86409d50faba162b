import type { Producer } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { HeldRecord, HeldStore } from '../../core/store/held-store.ts'
import { writeHeld } from '../write-held.ts'

export interface HeldReleaseOptions {
  producer: Producer
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

/** Records written at once, and writes for one topic in one round. */
const [batchSize, maxBatches] = [500, 100]
/** Statements in one round that look for records of no use. */
const maxPages = 100
/** Topics asked at once: one that refuses costs a second, one without a leader five. */
const asked = 50
/** Milliseconds of one round after which no other topic is asked: the rest of the sweep waits. */
const roundMilliseconds = 20_000

/**
 * Writes what waits for topics that did not take it, to those that do now, and forgets what has ended meanwhile. What a round does not come
 * to, the next one begins with.
 */
export class HeldRelease {
  readonly #options: HeldReleaseOptions
  /** The delivery that the look for records of no use came to. */
  #place: string | undefined
  /** The topic that the last round came to. */
  #last = ''
  readonly #closed = new Set<string>()

  constructor(options: HeldReleaseOptions) {
    this.#options = options
  }

  /**
   * One round. What is written and not struck off when the process ends is written again, and the ledger drops it. Answers for each topic that
   * does not take its records since when (milliseconds since the epoch) the oldest waits.
   */
  async sweep(held: HeldStore, signal: AbortSignal): Promise<Map<string, number>> {
    await this.#dropEnded(held, signal)
    const since = new Map((await held.topics()).map((entry) => [entry.topic, entry.since.getTime()]))
    const end = this.#options.clock.monotonic() + roundMilliseconds
    const inTime = () => !signal.aborted && this.#options.clock.monotonic() < end
    const topics = beginningAfter(this.#last, [...since.keys()])
    for (let start = 0; start < topics.length && inTime(); start += asked) {
      const some = topics.slice(start, start + asked)
      const open = await this.#ask(held, some)
      while (open.length > 0 && inTime()) {
        this.#last = open.shift()!
        await this.#writeAll(held, this.#last, inTime)
      }
      if (open.length === 0) this.#last = some.at(-1)!
    }
    for (const topic of this.#closed) if (!since.has(topic)) this.#closed.delete(topic)
    return new Map([...since].filter(([topic]) => this.#closed.has(topic)))
  }

  async #dropEnded(held: HeldStore, signal: AbortSignal): Promise<void> {
    for (let pages = 0; pages < maxPages && !signal.aborted; pages++) {
      this.#place = await held.dropEnded(this.#place)
      if (this.#place === undefined) return
    }
  }

  /** Writes the first record of each topic, and answers the topics that took it: one that refuses is to cost one answer. */
  async #ask(held: HeldStore, topics: readonly string[]): Promise<string[]> {
    const first: HeldRecord[] = []
    for (const topic of topics) first.push(...(await held.read(topic, 1)))
    await this.#write(held, first)
    return topics.filter((topic) => !this.#closed.has(topic))
  }

  async #writeAll(held: HeldStore, topic: string, inTime: () => boolean): Promise<void> {
    for (let batches = 0; batches < maxBatches && inTime(); batches++) {
      const records = await held.read(topic, batchSize)
      if (records.length === 0) return
      await this.#write(held, records)
      if (this.#closed.has(topic)) return
    }
  }

  async #write(held: HeldStore, records: readonly HeldRecord[]): Promise<void> {
    const refused = await writeHeld({ ...this.#options, held }, records)
    for (const { topic } of records) this.#closed.delete(topic)
    for (const { record } of refused) this.#closed.add(record.topic)
  }
}

/** The topics in order, beginning with the first after this one. */
function beginningAfter(last: string, topics: readonly string[]): string[] {
  const sorted = topics.toSorted()
  const start = sorted.findIndex((topic) => topic > last)
  return start < 0 ? sorted : [...sorted.slice(start), ...sorted.slice(0, start)]
}
