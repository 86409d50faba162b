import { context } from '@opentelemetry/api'
import { Counter, type Registry } from 'prom-client'
import { BrokerError, type Producer, type RecordToProduce } from '../broker/broker.ts'
import type { Clock, Timers } from '../clock.ts'
import type { Logger } from '../observability/logger.ts'
import { writeTrace } from '../observability/tracing.ts'
import { createPace } from '../pace.ts'
import { retry } from '../retry.ts'
import { createBatcher } from '../store/batcher.ts'
import { encodeEvent, type StatusChange } from './delivery-event.ts'

/** Tells the world of changes of deliveries, at least once each. */
export interface EventPublisher {
  /**
   * Resolves when the event is on its topic, or when the topic refuses it for good. While the broker is away it waits; rejects only
   * when the wait is given up.
   */
  publish(change: StatusChange): Promise<void>
  /** Resolves when nothing waits. */
  idle(): Promise<void>
}

export interface EventPublisherOptions {
  producer: Producer
  /** Prefix of the install's topics. */
  prefix: string
  clock: Clock & Timers
  logger: Logger
  metrics: EventMetrics
  /** Gives up at its abort. */
  signal: AbortSignal
}

export type EventMetrics = ReturnType<typeof createEventMetrics>

/** The counters of a publisher, in the registry of its process. */
export function createEventMetrics(registry: Registry) {
  return {
    published: new Counter({
      name: 'carillon_events_published_total',
      help: 'Events on the events topic.',
      registers: [registry],
    }),
    dropped: new Counter({
      name: 'carillon_events_dropped_total',
      help: 'Events that the events topic refused, by the kind of error: it does not exist, or is not ours to write. Deliveries go on.',
      labelNames: ['code'],
      registers: [registry],
    }),
  }
}

const maxBatch = 500
/**
 * Milliseconds between the beginnings of two writes, at the least. Nothing waits for an event but the commit of its record, or a retry that is due later;
 * and a write of ten costs Kafka and this process half as much again as a write of one.
 */
const writeInterval = 20
const holdMilliseconds = 1_000
/** Milliseconds between two log lines about events that are refused. */
const complaintInterval = 60_000

/**
 * Events of concurrent deliveries go in one write, one write at a time. A topic that is gone or not ours to write must not stop deliveries:
 * its events are dropped and counted. A broker that is away stops them anyway, so its events wait.
 */
export function createEventPublisher(options: EventPublisherOptions): EventPublisher {
  const { producer, prefix, clock, logger, metrics, signal } = options
  const waiting = new Set<Promise<void>>()
  let complainedAt = -Infinity

  const write = createBatcher<RecordToProduce, void>({
    maxItems: maxBatch,
    pace: createPace(writeInterval, clock),
    flush: writeAll,
  })

  async function writeAll(records: RecordToProduce[]): Promise<void[]> {
    const onFailure = (error: unknown) => {
      if (error instanceof BrokerError && (isRefusal(error) || error.code === 'closed')) throw error
      logger.warn({ err: error, events: records.length }, 'Events held')
    }
    try {
      await retry(
        () => producer.produce(records),
        { clock, pauseAfter: () => holdMilliseconds, onFailure },
        signal,
      )
      metrics.published.inc(records.length)
    } catch (error) {
      if (!(error instanceof BrokerError && isRefusal(error))) throw error
      drop(records, error)
    }
    return records.map(() => undefined)
  }

  function drop(records: readonly RecordToProduce[], error: BrokerError): void {
    metrics.dropped.inc({ code: error.code }, records.length)
    const now = clock.monotonic()
    if (now - complainedAt < complaintInterval) return
    complainedAt = now
    logger.error({ err: error, topic: records[0]?.topic }, 'Events dropped; carillon apply makes their topic')
  }

  return {
    publish(change) {
      const record = encodeEvent(prefix, change, clock.now(), writeTrace(context.active()))
      const written = write(record)
      const settled = written.then(forget, forget)
      function forget(): void {
        waiting.delete(settled)
      }
      waiting.add(settled)
      return written
    },
    async idle() {
      await Promise.all(waiting)
    },
  }
}

/** Whether the events topic refuses for good: what does not mend by waiting. */
export function isRefusal({ code }: BrokerError): boolean {
  return code !== 'unavailable' && code !== 'queue_full' && code !== 'closed'
}
