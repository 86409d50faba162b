import { context, SpanKind, trace } from '@opentelemetry/api'
import { startProcessing } from '../../core/observability/messaging-spans.ts'
import { inSpan, markFailed, tracer, writeTrace } from '../../core/observability/tracing.ts'
import type { Outcome } from '../../core/providers/provider.ts'
import type { Work } from './attempt/work.ts'
import type { RunResult } from './dispatcher.ts'

/** Runs the work of one record under a span of its own: a child of who wrote the record, or linked to it for what is not a first attempt. */
export function inDeliverySpan(
  work: Exclude<Work, { kind: 'unknown_version' }>,
  group: string,
  run: () => Promise<RunResult>,
): Promise<RunResult> {
  const first = work.kind === 'delivery' && work.ref.attempt === 1 && work.ref.replayEpoch === 0
  const { span, parent } = startProcessing(work.record, { group, first, attributes: attributesOf(work) })
  return inSpan(span, parent, async () => {
    const result = await run()
    if (result.kind !== 'done') span.setAttribute('carillon.parked', true)
    return result
  })
}

function attributesOf(work: Exclude<Work, { kind: 'unknown_version' }>) {
  if (work.kind === 'poison') return {}
  const { envelope, ref } = work
  return {
    'messaging.message.id': envelope.id,
    'messaging.message.conversation_id': envelope.notification_id,
    'carillon.namespace': envelope.tenant,
    'carillon.channel': envelope.channel,
    'carillon.attempt': ref.attempt,
    'carillon.replay': ref.replayEpoch,
  }
}

/** Says in the span of the delivery what the attempt came to. @param failure why the message did not leave, if so */
export function traceStatus(status: string, failure: string | undefined): void {
  const span = trace.getActiveSpan()
  if (span === undefined) return
  span.setAttribute('carillon.status', status)
  if (failure !== undefined) markFailed(span, failure)
}

/**
 * Calls a provider under a client span. Where it is called is not said: that may be the recipient's own address.
 * @param call is handed the `traceparent` of the span; `undefined` while no traces are made
 */
export async function inProviderSpan(
  { provider, namespace, channel }: { provider: string; namespace: string; channel: string },
  call: (traceparent: string | undefined) => Promise<Outcome>,
): Promise<Outcome> {
  const parent = context.active()
  const attributes = {
    'carillon.provider': provider,
    'carillon.namespace': namespace,
    'carillon.channel': channel,
  }
  const span = tracer.startSpan(`call ${provider}`, { kind: SpanKind.CLIENT, attributes }, parent)
  return inSpan(span, parent, async () => {
    const outcome = await call(writeTrace(trace.setSpan(parent, span)).traceparent)
    span.setAttribute('carillon.outcome', outcome.class)
    if (outcome.class !== 'sent') markFailed(span, outcome.code ?? outcome.class)
    return outcome
  })
}
