import type { FastifyInstance } from 'fastify'
import { formatNotificationId, type InstallKeys } from '../../core/notification/ids.ts'
import { type IdempotencyHeaders, idempotencyHeaders } from '../accept/idempotency-key.ts'
import type { Send } from '../accept/send.ts'
import { type SendRequest, sendRequestSchema } from '../accept/send-request.ts'
import { presentAccepted } from '../answers/present.ts'
import { acceptedNotification } from '../answers/resources.ts'
import { sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { jsonSchema } from '../http/validation.ts'
import { traceOf } from '../observability/trace-requests.ts'
import { answer, bodyProblems, problems } from '../openapi/documentation.ts'

export const acceptedExample = {
  id: 'ntf_067nhxg0znrqh8ssm9zm9qbm4r00000000',
  status: 'accepted' as const,
  channels: ['email', 'push'],
  template: { id: 'welcome', revision: '3f9c2a' },
  created_at: '2026-11-30T09:00:00.000Z',
}

/** `POST /v1/notifications`. */
export function postNotification(
  app: FastifyInstance,
  { send, keys }: { send: Send; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'sendNotification',
    summary: 'Send a notification',
    description:
      'Accepts a notification for up to 100 recipients. A 202 is durable: everything accepted gets a final status, which `Location` shows.',
    tags: ['notifications'],
    headers: idempotencyHeaders,
    body: jsonSchema(sendRequestSchema),
    response: {
      202: {
        ...answer('Accepted.', acceptedNotification, acceptedExample),
        headers: {
          Location: { type: 'string', description: 'Path of the notification.' },
          'Idempotent-Replayed': {
            type: 'string',
            description: '`true` when it had been accepted before: nothing is sent again.',
          },
        },
      },
      ...problems(...bodyProblems, 503),
    },
  }
  app.post<{ Body: SendRequest; Headers: IdempotencyHeaders }>(
    '/v1/notifications',
    { schema },
    async (request, reply) => {
      const tenant = tenantOf(request)
      const result = await send({
        tenant,
        request: request.body,
        idempotencyKey: request.headers['idempotency-key'],
        trace: traceOf(request),
      })
      if (result.kind === 'refused') return sendProblem(reply, result.problem)
      const id = formatNotificationId(keys, tenant, result.id)
      if (result.repeated) reply.header('idempotent-replayed', 'true')
      return reply
        .code(202)
        .header('location', `/v1/notifications/${id}`)
        .send(presentAccepted(id, result.request))
    },
  )
}
