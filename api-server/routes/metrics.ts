import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'

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
    },
  }
  app.get('/metrics', { schema }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
}
