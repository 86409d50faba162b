import { trace } from '@opentelemetry/api'
import type { ConsumedRecord } from '../../core/broker/broker.ts'
import type { RequestEnvelope, TraceHeaders } from '../../core/notification/envelope.ts'
import { plannerGroup } from '../../core/notification/topics.ts'
import { type Sending, startProcessing, startSending } from '../../core/observability/messaging-spans.ts'
import { markFailed } from '../../core/observability/tracing.ts'
import type { PlannedRequest } from './record.ts'

/** The spans of requests that are planned together: one for each request, and under it one for each topic that its deliveries go to. */
export interface PlanTrace {
  /** What the records of a request carry to a topic. */
  headersOf(planned: PlannedRequest, topic: string): TraceHeaders
  /** @param failure the name of what went wrong, if anything did */
  end(failure?: string): void
}

/** Begins a span for each request of a batch, a child of who sent it. */
export function startPlanTrace(
  prefix: string,
  batch: readonly { record: ConsumedRecord; request: RequestEnvelope }[],
): PlanTrace {
  const group = plannerGroup(prefix)
  const processing = new Map(
    batch.map(({ record, request }) => {
      const attributes = { 'messaging.message.id': request.id, 'carillon.namespace': request.tenant }
      return [request, startProcessing(record, { group, first: true, attributes })] as const
    }),
  )
  const sendings = new Map<RequestEnvelope, Map<string, Sending>>()

  return {
    headersOf({ request, deliveries }, topic) {
      const byTopic = sendings.get(request) ?? new Map<string, Sending>()
      sendings.set(request, byTopic)
      const existing = byTopic.get(topic)
      if (existing !== undefined) return existing.headers
      const { span, parent } = processing.get(request)!
      const records = deliveries.filter(
        ({ result }) => result.kind === 'send' && result.topic === topic,
      ).length
      const sending = startSending(topic, trace.setSpan(parent, span), { id: request.id, records })
      byTopic.set(topic, sending)
      return sending.headers
    },
    end(failure) {
      for (const byTopic of sendings.values()) for (const sending of byTopic.values()) sending.end(failure)
      for (const { span } of processing.values()) {
        if (failure !== undefined) markFailed(span, failure)
        span.end()
      }
    },
  }
}
