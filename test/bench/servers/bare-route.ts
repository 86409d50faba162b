import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { type SendRequest, sendRequestSchema } from '../../../api-server/accept/send-request.ts'
import { acceptedNotification } from '../../../api-server/answers/resources.ts'
import { jsonSchema } from '../../../api-server/http/validation.ts'

/** `POST /v1/notifications` with the schemas of body and answer compiled by Fastify, and nothing else of ours. */
export function bareRoute(
  app: FastifyInstance,
  store: (id: string, body: SendRequest) => Promise<void>,
): void {
  const schema = { body: jsonSchema(sendRequestSchema), response: { 202: jsonSchema(acceptedNotification) } }
  app.post<{ Body: SendRequest }>('/v1/notifications', { schema }, async (request, reply) => {
    const { channels = [], template } = request.body
    const id = randomUUID()
    await store(id, request.body)
    return reply
      .code(202)
      .header('location', `/v1/notifications/${id}`)
      .send({
        id,
        status: 'accepted',
        channels,
        template: template && { id: template.id, revision: '3f9c2a' },
        created_at: new Date().toISOString(),
      })
  })
}
