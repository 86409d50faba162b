import { sleep, systemClock as clock } from '../../../clock.ts'
import { type ConsumedRecord, partitionName } from '../../broker.ts'
import { beginnings } from '../offsets.ts'
import { pauseAfter } from '../patience.ts'
import type { TopicMap } from '../topic-map.ts'
import { KafkaError } from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'
import type { Cursor } from './cursor.ts'
import { type FetchAnswer, type FetchedData, fetchRequest, readFetched } from './fetch-request.ts'

/** Milliseconds between looks for partitions that have no leader. */
const LOCATE_INTERVAL_MS = 250
/** Milliseconds between looks whether a partition that answered with an error may be asked again. */
const TROUBLED_INTERVAL_MS = 50

export interface FetcherOptions {
  wire: Wire
  topics: TopicMap
  /** Called for partitions that are not paused, in offset order. The cursor is behind the records already. */
  onRead(cursor: Cursor, records: readonly ConsumedRecord[]): void
  /** A leader could not be read from; it is tried again. */
  onFailure(error: unknown): void
  /** Everything is read from again, after a failure that was told. */
  onRecovered?(): void
}

/**
 * Reads partitions: one loop for each leader, so that a broker that is slow or gone holds up only what it leads, and a pause or an error
 * only its own partition.
 */
export class Fetcher {
  readonly #options: FetcherOptions
  readonly #loops = new Map<number, Promise<void>>()
  readonly #stopping = new AbortController()
  #cursors: readonly Cursor[] = []
  #locating: Promise<void> | undefined
  #wake = Promise.withResolvers<void>()
  /** Partitions that answered with an error, and when they are asked again. */
  readonly #troubled = new Map<Cursor, { failures: number; until: number }>()
  /** Leaders that could not be read from the last time. */
  readonly #failing = new Set<number>()
  #told = false
  #turn = 0

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  /** Reads these partitions from now on. */
  read(cursors: readonly Cursor[]): void {
    this.#cursors = cursors
    this.#ensureRead()
  }

  /** Something is not paused any more. */
  wake(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  /** Hands over nothing from now on; resolves when no request is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.wake()
    await Promise.all([...this.#loops.values(), this.#locating])
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  #leader({ topic, partition }: Cursor): number {
    return this.#options.topics.leader(topic, partition)
  }

  /** Sees to it that every partition is read. Who shares the map of topics may have looked at any time where they are: nobody tells. */
  #ensureRead(): void {
    this.#startLoops()
    if (!this.#stopped && this.#cursors.some((cursor) => this.#leader(cursor) < 0)) void this.#locate()
  }

  /** Wakes the others too: one in which everything is paused may lead something more by now. */
  #startLoops(): void {
    this.wake()
    for (const leader of new Set(this.#cursors.map((cursor) => this.#leader(cursor)))) {
      if (leader < 0 || this.#loops.has(leader) || this.#stopped) continue
      this.#loops.set(
        leader,
        this.#loop(leader).finally(() => {
          this.#loops.delete(leader)
          this.#failing.delete(leader)
          this.#ensureRead()
        }),
      )
    }
  }

  async #loop(leader: number): Promise<void> {
    let failures = 0
    while (!this.#stopped) {
      const led = this.#cursors.filter((cursor) => this.#leader(cursor) === leader)
      if (led.length === 0) return
      const now = performance.now()
      const unpaused = led.filter(({ paused }) => !paused)
      const active = unpaused.filter((cursor) => (this.#troubled.get(cursor)?.until ?? 0) <= now)
      if (unpaused.length === 0) {
        await this.#wake.promise
        continue
      }
      if (active.length === 0) {
        await sleep(clock, TROUBLED_INTERVAL_MS, this.#stopping.signal)
        continue
      }
      try {
        // A full answer leaves out the last ones of the list: everybody comes first in turn.
        const first = this.#turn++ % active.length
        await this.#fetch(leader, [...active.slice(first), ...active.slice(0, first)])
        failures = 0
        this.#succeeded(leader)
        this.#ensureRead()
      } catch (error) {
        if (this.#stopped) return
        failures += 1
        this.#failing.add(leader)
        if (failures > 1) this.#tell(error)
        void this.#locate()
        await sleep(clock, pauseAfter(failures), this.#stopping.signal)
      }
    }
  }

  async #fetch(leader: number, cursors: readonly Cursor[]): Promise<void> {
    const asked = new Map(
      cursors.map((cursor) => [partitionName(cursor), { cursor, position: cursor.position }]),
    )
    const answer = await this.#options.wire.ask<FetchAnswer>(
      leader,
      'Fetch',
      fetchRequest(cursors),
      'reading',
    )
    if (answer.errorCode) throw new KafkaError(answer.errorCode, 'fetching')
    for (const { topicName, partitions } of answer.responses) {
      for (const { errorCode, ...data } of partitions) {
        const place = asked.get(partitionName({ topic: topicName, partition: data.partition }))
        if (!place) continue
        const error = errorCode === 0 ? undefined : new KafkaError(errorCode, `topic ${topicName}`)
        if (error === undefined) {
          this.#troubled.delete(place.cursor)
          this.#take(place.cursor, place.position, data)
        } else if (error.type === 'OFFSET_OUT_OF_RANGE') await this.#reset(place.cursor)
        else this.#leaveAlone(place.cursor, error)
      }
    }
  }

  /** The others of its leader are read on meanwhile. */
  #leaveAlone(cursor: Cursor, error: KafkaError): void {
    const failures = (this.#troubled.get(cursor)?.failures ?? 0) + 1
    this.#troubled.set(cursor, { failures, until: performance.now() + pauseAfter(failures) })
    // Once is what a new leader looks like.
    if (failures > 1) this.#tell(error)
    void this.#locate()
  }

  #tell(error: unknown): void {
    this.#told = true
    this.#options.onFailure(error)
  }

  /** Nothing new may come for long, so that records alone would not show that it works again. */
  #succeeded(leader: number): void {
    this.#failing.delete(leader)
    if (!this.#told || this.#failing.size > 0 || this.#troubled.size > 0) return
    this.#told = false
    this.#options.onRecovered?.()
  }

  #take(cursor: Cursor, asked: number, data: FetchedData): void {
    if (this.#stopped || cursor.paused || cursor.position !== asked || !this.#cursors.includes(cursor)) return
    const read = readFetched(cursor.topic, asked, data)
    if (!read) return
    cursor.position = read.next
    this.#options.onRead(cursor, read.records)
  }

  /** The position is not in the log any more, or not yet: what is left is read from its beginning. */
  async #reset(cursor: Cursor): Promise<void> {
    const { wire, topics } = this.#options
    const position = (await beginnings(wire, topics, [cursor])).get(partitionName(cursor))!
    if (this.#stopped || !this.#cursors.includes(cursor)) return
    cursor.position = position
    this.#options.onRead(cursor, [])
  }

  /** Looks for the leaders until every partition has one. */
  async #locate(): Promise<void> {
    this.#locating ??= this.#lookForLeaders().finally(() => (this.#locating = undefined))
    await this.#locating
  }

  async #lookForLeaders(): Promise<void> {
    do {
      try {
        await this.#options.topics.refresh()
      } catch (error) {
        this.#tell(error)
      }
      this.#startLoops()
      await sleep(clock, LOCATE_INTERVAL_MS, this.#stopping.signal)
    } while (!this.#stopped && this.#cursors.some((cursor) => this.#leader(cursor) < 0))
  }
}
