import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { answer, otherProblems } from '../openapi/documentation.ts'

const ok = z.object({ status: z.literal('ok') })
const readiness = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.record(z.string(), z.boolean()),
})

/**
 * Health. Readiness asks for what this process needs of itself: brokers and database are shared, and when one is away, taking
 * every replica out of service would help nobody, while a 503 with Retry-After says what is wrong.
 */
export function health(
  app: FastifyInstance,
  { catalog, isReady }: { catalog: Catalog; isReady: () => boolean },
): void {
  const tags = ['operations']
  const live = { 200: answer('It runs.', ok, { status: 'ok' }), ...otherProblems }
  app.get(
    '/health',
    {
      schema: { operationId: 'health', summary: 'Whether it runs', tags: ['compatibility'], response: live },
    },
    async () => ({ status: 'ok' }),
  )
  app.get(
    '/livez',
    { schema: { operationId: 'livez', summary: 'Whether it runs', tags, response: live } },
    async () => ({ status: 'ok' }),
  )
  const ready = {
    200: answer('It takes requests.', readiness, {
      status: 'ready',
      checks: { catalog: true, process: true },
    }),
    503: answer('It does not, or not yet.', readiness, {
      status: 'not_ready',
      checks: { catalog: false, process: true },
    }),
    ...otherProblems,
  }
  app.get(
    '/readyz',
    { schema: { operationId: 'readyz', summary: 'Whether it takes requests', tags, response: ready } },
    async (_request, reply) => {
      const checks = { catalog: catalog.synced(), process: isReady() }
      const status = Object.values(checks).every(Boolean) ? 'ready' : 'not_ready'
      return reply.code(status === 'ready' ? 200 : 503).send({ status, checks })
    },
  )
}
