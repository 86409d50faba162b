import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { DeliveryRecord } from '../../core/store/held-records.ts'
import { produceEach, type Refused } from '../produce-each.ts'
import type { CountingProducer } from './acknowledged.ts'
import type { PlannerStore } from './store.ts'

/** Where the records of planned deliveries go. */
export interface Outlet {
  /**
   * Resolves when every record is on its topic, or kept until its topic takes it, or its delivery has ended because it is too large. Rejects when
   * the whole cluster or the store is away; then all of it may be repeated.
   */
  write(chunks: Iterable<readonly DeliveryRecord[]>): Promise<void>
}

export interface OutletOptions {
  producer: CountingProducer
  store: Pick<PlannerStore, 'hold' | 'failTooLarge'>
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

/**
 * Milliseconds for which a topic that refused is not asked again. A broker takes about a second to say no, and one without a leader
 * costs all the patience of the producer, 5 s; everything planned together waits for that.
 */
const closedFor = { no_topic: 10_000, away: 30_000 }

/**
 * A topic that is missing, not ours to write, or without a leader stops no other: what is for it waits in the store, and the sweeper writes it
 * later. Only when nothing else is acknowledged either, the cluster is away, and everything waits where it is.
 */
export function createOutlet({ producer, store, clock, logger }: OutletOptions): Outlet {
  const closedUntil = new Map<string, number>()

  async function writeChunk(records: readonly DeliveryRecord[], isClusterThere: () => boolean) {
    const now = clock.monotonic()
    const { closed = [], open = [] } = Object.groupBy(records, ({ topic }) =>
      (closedUntil.get(topic) ?? -Infinity) > now ? 'closed' : 'open',
    )
    const refused = await produceEach(producer, open)
    const away = refused.find(({ refusal }) => refusal === 'away')
    if (away !== undefined && !isClusterThere()) throw away.error
    const held = [...closed, ...closeTopics(refused)]
    if (held.length > 0) await store.hold(held)
    const tooLarge = refused.filter(({ refusal }) => refusal === 'too_large')
    if (tooLarge.length === 0) return
    logger.warn({ deliveries: tooLarge.length }, 'Deliveries are too large for their topic')
    await store.failTooLarge(tooLarge.map(({ record }) => record.delivery))
  }

  /** Remembers the topics that did not take these records, and answers what may be written to them later. */
  function closeTopics(refused: readonly Refused<DeliveryRecord>[]): DeliveryRecord[] {
    const closing = new Set<string>()
    const held: DeliveryRecord[] = []
    for (const { record, refusal, error } of refused) {
      if (refusal === 'too_large') continue
      held.push(record)
      const { topic } = record
      if (closing.has(topic)) continue
      closing.add(topic)
      closedUntil.set(topic, clock.monotonic() + closedFor[refusal])
      logger.error({ err: error, topic }, 'A topic takes no deliveries: they wait in the store until it does')
    }
    return held
  }

  return {
    async write(chunks) {
      const before = producer.acknowledged()
      for (const chunk of chunks) await writeChunk(chunk, () => producer.acknowledged() > before)
    },
  }
}
