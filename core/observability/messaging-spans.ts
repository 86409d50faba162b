import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { ConsumedRecord } from '../broker/broker.ts'
import type { TraceHeaders } from '../notification/envelope.ts'
import { markFailed, readTrace, tracer, writeTrace } from './tracing.ts'

/**
 * Spans of what happens to records, by the names of OpenTelemetry's semantic conventions for messaging. Those are still in development: they
 * stand here and nowhere else. Never in a span: a record's key, an address, a payload.
 */

const system = { 'messaging.system': 'kafka' }

/** A record on its way to a topic. */
export interface Sending {
  /** What the record carries, so that its reader finds this span. */
  headers: TraceHeaders
  /** @param failure the name of what went wrong, if anything did */
  end(failure?: string): void
}

/** @param id of the notification or delivery @param records how many go with this span, when more than one may */
export function startSending(
  topic: string,
  parent: Context,
  { id, records }: { id: string; records?: number },
): Sending {
  const span = tracer.startSpan(
    `send ${topic}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: {
        ...system,
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': topic,
        'messaging.message.id': id,
        ...(records !== undefined && { 'messaging.batch.message_count': records }),
      },
    },
    parent,
  )
  return {
    headers: writeTrace(trace.setSpan(parent, span)),
    end(failure) {
      if (failure !== undefined) markFailed(span, failure)
      span.end()
    },
  }
}

/** Milliseconds after which a trace is not prolonged: a retry a day later would make it one that no tool can show. */
const longestChild = 5 * 60_000

export interface Processing {
  span: Span
  /** What the span is made active over. */
  parent: Context
}

/**
 * The processing of one record. A child of the span that sent it when that was the first try and just now; else the
 * beginning of a trace of its own, linked to that span.
 */
export function startProcessing(
  record: ConsumedRecord,
  { group, first, attributes }: { group: string; first: boolean; attributes: Attributes },
): Processing {
  const sender = readTrace(record.headers)
  // The time of day, as all times in spans.
  const isChild = first && Date.now() - record.timestamp < longestChild
  const origin = trace.getSpanContext(sender)
  const links: Link[] = isChild || origin === undefined ? [] : [{ context: origin }]
  const parent = isChild ? sender : ROOT_CONTEXT
  const span = tracer.startSpan(
    `process ${record.topic}`,
    {
      kind: SpanKind.CONSUMER,
      root: !isChild,
      links,
      attributes: {
        ...system,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': record.topic,
        'messaging.destination.partition.id': String(record.partition),
        'messaging.kafka.offset': record.offset,
        'messaging.consumer.group.name': group,
        ...attributes,
      },
    },
    parent,
  )
  return { span, parent }
}
