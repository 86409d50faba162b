import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { problems } from '../openapi/documentation.ts'

/** `GET /metrics`. */
export function metrics(app: FastifyInstance, { registry }: { registry: Registry }): void {
  const schema = {
    operationId: 'metrics',
    summary: 'Metrics for Prometheus',
    tags: ['operations'],
    response: {
      200: {
        description: 'Text format of Prometheus.',
        content: {
          'text/plain': {
            schema: { type: 'string' },
            example: 'carillon_accepted_total{namespace="default",channel="email"} 7',
          },
        },
      },
      ...problems(),
    },
  }
  app.get('/metrics', { schema }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
}
