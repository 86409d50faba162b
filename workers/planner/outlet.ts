import type { RecordToProduce } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { neverWritten } from '../../core/store/held-records.ts'
import type { CountingProducer } from '../acknowledged.ts'
import { ClosedTopics } from '../closed-topics.ts'
import { produceEach, type Refused } from '../produce-each.ts'
import type { PlannerStore } from './store.ts'

/** The record of a planned delivery, and the id of that. */
export interface DeliveryRecord extends RecordToProduce {
  headers: Readonly<Record<string, string>>
  delivery: string
}

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
 * A topic that is missing, not ours to write, or without a leader stops no other: what is for it waits in the store, and the sweeper writes it
 * later. Only when nothing else is acknowledged either, the cluster is away, and everything waits where it is.
 */
export function createOutlet({ producer, store, clock, logger }: OutletOptions): Outlet {
  const closed = new ClosedTopics({ clock, logger })

  async function writeChunk(records: readonly DeliveryRecord[], isClusterThere: () => boolean) {
    const { waiting = [], open = [] } = Object.groupBy(records, ({ topic }) =>
      closed.has(topic) ? 'waiting' : 'open',
    )
    const refused = await produceEach(producer, open)
    const away = refused.find(({ refusal }) => refusal === 'away')
    if (away !== undefined && !isClusterThere()) throw away.error
    const held = [...waiting, ...closeTopics(refused)]
    if (held.length > 0) await store.hold(held.map((record) => ({ ...record, state: neverWritten })))
    const tooLarge = refused.filter(({ refusal }) => refusal === 'too_large')
    if (tooLarge.length === 0) return
    logger.warn({ deliveries: tooLarge.length }, 'Deliveries are too large for their topic')
    await store.failTooLarge(tooLarge.map(({ record }) => record.delivery))
  }

  /** Remembers the topics that did not take these records, and answers what may be written to them later. */
  function closeTopics(refused: readonly Refused<DeliveryRecord>[]): DeliveryRecord[] {
    const held: DeliveryRecord[] = []
    for (const { record, refusal, error } of refused) {
      if (refusal === 'too_large') continue
      held.push(record)
      closed.add(record.topic, refusal, error)
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
