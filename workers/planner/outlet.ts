import type { RecordToProduce } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { neverWritten } from '../../core/store/held-records.ts'
import type { CountingProducer } from '../acknowledged.ts'
import { ClosedTopics } from '../closed-topics.ts'
import { type Judged, partRefused, type Postponed, produceEach } from '../produce-each.ts'
import { writeHeld } from '../write-held.ts'
import type { PlannerStore } from './store.ts'

/** The record of a planned delivery, and the id of that. */
export interface DeliveryRecord extends RecordToProduce {
  headers: Readonly<Record<string, string>>
  delivery: string
}

/** Where the records of planned deliveries go. */
export interface Outlet {
  /**
   * Resolves when every record is on its topic, or kept until its topic takes it, or its delivery has ended because that never will. Rejects when
   * the whole cluster or the store is away; then all of it may be repeated.
   */
  write(chunks: Iterable<readonly DeliveryRecord[]>): Promise<void>
}

export interface OutletOptions {
  producer: CountingProducer
  store: Pick<PlannerStore, 'hold' | 'held' | 'failRefused'>
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

/** Records written at once of what waits for a topic, after a first one that tells whether it takes any, and writes before a batch goes on. */
const [batchSize, maxBatches] = [500, 5]

/**
 * A topic that is missing, not ours to write, or without a leader stops no other: what is for it waits in the store, and so does what comes later until
 * all that waits is written, which the sweeper does, or whoever has something for that topic. Only when nothing else is acknowledged either, the
 * cluster is away, and everything waits where it is.
 */
export function createOutlet({ producer, store, clock, logger }: OutletOptions): Outlet {
  const closed = new ClosedTopics({ clock, logger })

  async function writeChunk(records: readonly DeliveryRecord[], isClusterThere: () => boolean) {
    const behind = await store.held.behind([...new Set(records.map(({ topic }) => topic))])
    await Promise.all(
      [...behind].map(async (topic) => {
        if (await catchUp(topic, isClusterThere)) behind.delete(topic)
      }),
    )
    const { waiting = [], open = [] } = Object.groupBy(records, ({ topic }) =>
      closed.has(topic) || behind.has(topic) ? 'waiting' : 'open',
    )
    const { judged, later } = partRefused(await produceEach(producer, open))
    closeTopics(later, isClusterThere)
    const held = [...waiting, ...later.map(({ record }) => record)]
    if (held.length > 0) await store.hold(held.map((record) => ({ ...record, state: neverWritten })))
    if (judged.length > 0) await fail(judged)
  }

  async function fail(judged: readonly Judged<DeliveryRecord>[]): Promise<void> {
    const [{ record, error }] = judged as [Judged<DeliveryRecord>]
    logger.warn(
      { err: error, topic: record.topic, deliveries: judged.length },
      'A topic will never take the records of deliveries: they end',
    )
    await store.failRefused(judged.map(({ record: { delivery }, refusal: reason }) => ({ delivery, reason })))
  }

  /** Writes what waits for a topic; answers whether that was all. */
  async function catchUp(topic: string, isClusterThere: () => boolean): Promise<boolean> {
    for (let batches = 0; batches <= maxBatches && !closed.has(topic); batches++) {
      const records = await store.held.read(topic, batches === 0 ? 1 : batchSize)
      if (records.length === 0) return true
      closeTopics(await writeHeld({ producer, held: store.held, logger }, records), isClusterThere)
    }
    return false
  }

  /** Remembers the topics that refused, for a while. Throws when that was the whole cluster. */
  function closeTopics(refused: readonly Postponed<{ topic: string }>[], isClusterThere: () => boolean) {
    const away = refused.find(({ refusal }) => refusal === 'away')
    if (away !== undefined && !isClusterThere()) throw away.error
    for (const { record, refusal, error } of refused) closed.add(record.topic, refusal, error)
  }

  return {
    async write(chunks) {
      const before = producer.acknowledged()
      for (const chunk of chunks) await writeChunk(chunk, () => producer.acknowledged() > before)
    },
  }
}
