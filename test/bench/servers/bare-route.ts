import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { type SendRequest, sendRequestSchema } from '../../../api-server/send-request.ts'
import { jsonSchema } from '../../../api-server/validation.ts'

const answer = {
  type: 'object',
  properties: { id: { type: 'string' }, status: { type: 'string' } },
  required: ['id', 'status'],
}

/** `POST /v1/notifications` with the body's schema compiled by Fastify, and nothing else of ours. */
export function bareRoute(
  app: FastifyInstance,
  store: (id: string, body: SendRequest) => Promise<void>,
): void {
  const schema = { body: jsonSchema(sendRequestSchema), response: { 202: answer } }
  app.post<{ Body: SendRequest }>('/v1/notifications', { schema }, async (request, reply) => {
    const id = randomUUID()
    await store(id, request.body)
    return reply.code(202).send({ id, status: 'accepted' })
  })
}
