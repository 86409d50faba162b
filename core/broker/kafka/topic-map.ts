import type { TopicPlace } from './wire/metadata.ts'
import type { Wire } from './wire/wire.ts'

/** Where a client's topics are, as far as it knows. */
export class TopicMap {
  readonly #wire: Pick<Wire, 'locate'>
  readonly #places = new Map<string, TopicPlace>()
  #refreshing: Promise<void> | undefined
  #topicsAsked = 0
  #refreshedAt = 0

  constructor(wire: Pick<Wire, 'locate'>) {
    this.#wire = wire
  }

  /** Keeps a topic in view from the next refresh on. */
  add(topic: string): void {
    if (!this.#places.has(topic)) this.#places.set(topic, unknown)
  }

  /** Nothing is known of a topic until a refresh. */
  get(topic: string): TopicPlace | undefined {
    const place = this.#places.get(topic)
    return place === unknown ? undefined : place
  }

  /** The node that leads a partition, or -1. */
  leader(topic: string, partition: number): number {
    return this.get(topic)?.partitions[partition]?.leader ?? -1
  }

  /** Milliseconds since the cluster was last asked; for ever, when it was never asked about one of the topics. */
  get age(): number {
    const complete = this.#topicsAsked === this.#places.size
    return complete ? performance.now() - this.#refreshedAt : Number.POSITIVE_INFINITY
  }

  /** Asks the cluster about all topics. Callers at the same time share one request, unless a topic was added meanwhile. */
  async refresh(): Promise<void> {
    if (this.#refreshing && this.#topicsAsked !== this.#places.size) await this.#refreshing.catch(() => {})
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined))
    await this.#refreshing
  }

  async #refresh(): Promise<void> {
    this.#topicsAsked = this.#places.size
    if (this.#topicsAsked === 0) return
    this.#refreshedAt = performance.now()
    const found = await this.#wire.locate([...this.#places.keys()])
    for (const [topic, place] of found) this.#places.set(topic, place)
  }
}

const unknown: TopicPlace = { error: 0, partitions: [] }
