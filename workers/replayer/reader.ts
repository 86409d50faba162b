import type { Broker, ConsumedRecord } from '../../core/broker/broker.ts'
import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { forgetGroup, type SourceMetrics } from '../source-metrics.ts'
import { Source, type Work } from '../source.ts'

export interface Taken {
  record: ConsumedRecord
  work: Work
}

export interface ReaderOptions {
  broker: Broker
  group: string
  topics: readonly string[]
  clock: Clock & Timers
  logger: Logger
  metrics: SourceMetrics
}

/** What may wait here: enough for a few steps, little enough for the memory of a process that has other work. */
const bounds = { records: 1_000, bytes: 8 * 1024 * 1024 }

/** Reads topics from their beginning, or from what the group has committed, as far as somebody takes what was read. */
export function createReader({ broker, group, topics, clock, logger, metrics }: ReaderOptions) {
  let waiting: Taken[] = []
  let arrived = () => {}
  const source = new Source({
    broker,
    group,
    topics,
    clock,
    logger,
    metrics,
    bounds,
    onRecord: (record, work) => {
      waiting.push({ record, work })
      arrived()
    },
    onRevoked: () => (waiting = []),
  })

  return {
    /** As of {@link Source}. */
    start: (signal: AbortSignal) => source.start(signal),
    /** Resolves when the consumer is down for good. */
    failed: source.failed,
    /** The next records, in the order of their partition; none when nothing came in time. */
    async next(max: number, milliseconds: number, signal: AbortSignal): Promise<Taken[]> {
      if (waiting.length === 0) {
        const came = new AbortController()
        arrived = () => came.abort()
        await sleep(clock, milliseconds, AbortSignal.any([came.signal, signal]))
      }
      return waiting.splice(0, max)
    },
    async stop() {
      await source.stop()
      forgetGroup(metrics, group, topics)
    },
  }
}
