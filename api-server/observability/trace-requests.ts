import { type Context, context, isSpanContextValid, SpanKind, trace } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { markFailed, readTrace, tracer } from '../../core/observability/tracing.ts'
import { routeOf } from './observe.ts'

const contexts = new WeakMap<FastifyRequest, Context>()

/** The trace of a request: under its own span while traces are exported, else as its caller sent it. */
export function traceOf(request: FastifyRequest): Context {
  return contexts.get(request) ?? readTrace(request.headers)
}

/**
 * A server span for each request that changes something, by OpenTelemetry's semantic conventions for HTTP. Of the path it says the route
 * alone: ids and addresses stand in paths. Reads, probes and scrapes have none.
 */
export function traceRequests(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') startSpan(request)
    done()
  })
  // After the body: its events come from the socket, and would lose what is active.
  app.addHook('preValidation', (request, _reply, done) => {
    const active = contexts.get(request)
    if (active === undefined) done()
    else context.with(active, done)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const active = contexts.get(request)
    const span = active && trace.getSpan(active)
    if (span !== undefined) {
      span.setAttribute('http.response.status_code', reply.statusCode)
      if (reply.statusCode >= 500) markFailed(span, String(reply.statusCode))
      span.end()
    }
    done()
  })
}

function startSpan(request: FastifyRequest): void {
  const { method, protocol } = request
  const route = routeOf(request)
  const parent = readTrace(request.headers)
  const span = tracer.startSpan(
    `${method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'url.path': route,
        'url.scheme': protocol,
      },
    },
    parent,
  )
  // Also of a span that is not sampled: whoever follows has to know that.
  if (isSpanContextValid(span.spanContext())) contexts.set(request, trace.setSpan(parent, span))
}
