import type { FastifyInstance } from 'fastify'

/** For everything but our pages, which bring a policy of their own: nothing here is to be shown, framed or run. */
const nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/** Headers of every answer: its request id, and what a browser must not do with it. */
export function setHeaders(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply) => {
    reply
      .header('x-request-id', request.id)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    if (!reply.hasHeader('content-security-policy')) reply.header('content-security-policy', nothing)
  })
}
