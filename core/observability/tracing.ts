import {
  type Context,
  context,
  createContextKey,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import packageJson from '../../package.json' with { type: 'json' }
import type { TraceHeaders } from '../notification/envelope.ts'

/**
 * Makes the spans of Carillon. Without an SDK (`startTracing` was not asked to load one) a span only carries on the context of its
 * parent: what a caller sent as `traceparent` travels through all the hops unchanged, and nothing else is done.
 */
export const tracer: Tracer = trace.getTracer('carillon', packageJson.version)

/** Version 00 of W3C Trace Context (section 3.2.2): ids in lower case, neither all zeros. */
const form = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/
/** What tracing systems say to each other: carried on as it came, beside the span's own. */
const stateKey = createContextKey('tracestate')
/** Characters of a tracestate that are carried on: what every vendor must take (section 3.3.1.5). */
const maxTraceState = 512

/** The trace that a request or a record says it belongs to; an empty context without one. Headers of another form are ignored, as the standard asks. */
export function readTrace(headers: Readonly<Record<string, string | string[] | undefined>>): Context {
  const { traceparent, tracestate } = headers
  const parts = typeof traceparent === 'string' ? form.exec(traceparent) : null
  if (parts === null) return ROOT_CONTEXT
  const hasState = typeof tracestate === 'string' && tracestate !== '' && tracestate.length <= maxTraceState
  const base = hasState ? ROOT_CONTEXT.setValue(stateKey, tracestate) : ROOT_CONTEXT
  return trace.setSpanContext(base, {
    traceId: parts[1]!,
    spanId: parts[2]!,
    traceFlags: Number.parseInt(parts[3]!, 16),
    isRemote: true,
  })
}

/** The headers that carry a trace on to whoever comes next; none without a trace. */
export function writeTrace(from: Context): TraceHeaders {
  const span = trace.getSpanContext(from)
  if (span === undefined || !isSpanContextValid(span)) return {}
  const flags = span.traceFlags.toString(16).padStart(2, '0')
  const tracestate = span.traceState?.serialize() ?? from.getValue(stateKey)
  return {
    traceparent: `00-${span.traceId}-${span.spanId}-${flags}`,
    ...(typeof tracestate === 'string' && { tracestate }),
  }
}

/** Headers that name another trace than before, if there is one now: of two traces nothing may be mixed. */
export function replaceTrace(headers: Readonly<Record<string, string>>, next: TraceHeaders) {
  if (next.traceparent === undefined) return headers
  const { traceparent: _traceparent, tracestate: _tracestate, ...others } = headers
  return { ...others, ...next }
}

/** Runs what belongs to a span, which is then active: in log lines, and as parent of further spans. A rejection marks it as failed. Ends it. */
export async function inSpan<T>(span: Span, parent: Context, run: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), run)
  } catch (error) {
    markFailed(span, failureName(error))
    throw error
  } finally {
    span.end()
  }
}

/** @param type one of few words for what went wrong: a code, the name of an error, never a text with data in it */
export function markFailed(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** What stands in a span for an error: its code or its name, never its message, which may quote data. */
export function failureName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : error.name
}
