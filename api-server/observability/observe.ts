import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ApiMetrics } from './metrics.ts'

/** By the patterns of the routes, as many as there are. */
const names = new Map<string, string>()

/** `/v1/users/{id}`: what may stand in logs and labels. The URL may not, since ids and addresses are in it. */
export function routeOf(request: FastifyRequest): string {
  const { url } = request.routeOptions
  if (url === undefined) return 'unmatched'
  const name = names.get(url) ?? url.replaceAll(/:(\w+)/g, '{$1}')
  names.set(url, name)
  return name
}

/**
 * Counts, times and logs every request. Successes are logged as DEBUG, since at full rate writing them down costs more than answering
 * them; failures of clients as INFO. Failures of ours have logged their error already.
 */
export function observeRequests(app: FastifyInstance, metrics: ApiMetrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request
    const route = routeOf(request)
    const seconds = reply.elapsedTime / 1000
    metrics.requests.inc({ route, method, code: reply.statusCode })
    metrics.duration.observe({ route, method }, seconds)
    const entry = { method, route, status: reply.statusCode, seconds }
    if (reply.statusCode < 400) request.log.debug(entry, 'Request')
    else request.log.info(entry, 'Request')
  })
}
