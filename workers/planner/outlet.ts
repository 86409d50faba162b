import type { Producer } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { DeliveryRecord } from '../../core/store/held-records.ts'
import { produceEach } from '../produce-each.ts'
import type { PlannerStore } from './store.ts'

/** Where the records of planned deliveries go. */
export interface Outlet {
  /**
   * Resolves when every record is on its topic, or kept until its topic takes it, or its delivery has ended because it is too large. Rejects when
   * the brokers or the store are away; then all of it may be repeated.
   */
  write(records: readonly DeliveryRecord[]): Promise<void>
}

export interface OutletOptions {
  producer: Producer
  store: Pick<PlannerStore, 'hold' | 'failTooLarge'>
  clock: Pick<Clock, 'monotonic'>
  logger: Logger
}

/**
 * Milliseconds for which a topic that refused is not asked again. A broker takes about a second to say no, and everything planned
 * together waits for that.
 */
const refusalHolds = 10_000

/** A topic that is missing, or not ours to write, stops no other: what is for it waits in the store, and the sweeper writes it later. */
export function createOutlet({ producer, store, clock, logger }: OutletOptions): Outlet {
  const closedUntil = new Map<string, number>()

  return {
    async write(records) {
      const now = clock.monotonic()
      const { closed = [], open = [] } = Object.groupBy(records, ({ topic }) =>
        (closedUntil.get(topic) ?? -Infinity) > now ? 'closed' : 'open',
      )
      const refused = await produceEach(producer, open)
      const tooLarge = refused.filter(({ refusal }) => refusal === 'too_large').map(({ record }) => record)
      const unwelcome = refused.filter(({ refusal }) => refusal === 'no_topic').map(({ record }) => record)
      for (const topic of new Set(unwelcome.map((record) => record.topic))) {
        closedUntil.set(topic, clock.monotonic() + refusalHolds)
        logger.error({ topic }, 'A topic does not take deliveries: they wait in the store until it does')
      }
      const held = [...closed, ...unwelcome]
      if (held.length > 0) await store.hold(held)
      if (tooLarge.length === 0) return
      logger.warn({ deliveries: tooLarge.length }, 'Deliveries are too large for their topic')
      await store.failTooLarge(tooLarge.map(({ delivery }) => delivery))
    },
  }
}
