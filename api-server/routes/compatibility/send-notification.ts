import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Catalog } from '../../../core/catalog/catalog.ts'
import { formatNotificationId, type InstallKeys } from '../../../core/notification/ids.ts'
import { channelNameFor } from '../../accept/choose-channels.ts'
import { idempotencyHeaders } from '../../accept/idempotency-key.ts'
import type { Send } from '../../accept/send.ts'
import { sendProblem } from '../../http/problem.ts'
import { tenantOf } from '../../http/tenant.ts'
import { jsonSchema } from '../../http/validation.ts'
import { answer, bodyProblems, problems } from '../../openapi/documentation.ts'
import { acceptedExample } from '../post-notification.ts'
import { defaultSubject, recipientOf, sendAdapted, typeNames } from './adapt.ts'

const body = z
  .object({
    type: z.enum(Object.keys(typeNames)),
    recipient: z
      .string()
      .describe('An address that fits the type: of mail, a phone, a device token, a user id for in-app.'),
    subject: z.string().nullish(),
    message: z.string(),
  })
  .meta({
    examples: [
      {
        type: 'email',
        recipient: 'user@example.com',
        subject: 'Test Email',
        message: 'This is a test notification',
      },
    ],
  })

const queued = z.object({ status: z.literal('queued'), id: z.string(), message: z.string() })
const message = 'Notification queued.'

/** `POST /send-notification`, for older clients: to one address. */
export function postSendNotification(
  app: FastifyInstance,
  { send, catalog, keys }: { send: Send; catalog: Catalog; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'postSendNotification',
    summary: 'Send to one address',
    tags: ['compatibility'],
    headers: idempotencyHeaders,
    body: jsonSchema(body),
    response: {
      200: answer('Accepted.', queued, { status: 'queued', id: acceptedExample.id, message }),
      ...problems(...bodyProblems, 503),
    },
  }
  app.post<{ Body: z.infer<typeof body> }>('/send-notification', { schema }, async (request, reply) => {
    const { type: name, recipient, subject, message: text } = request.body
    const type = typeNames[name]!
    const result = await sendAdapted(
      send,
      request,
      {
        to: [recipientOf(type, recipient)],
        channels: [channelNameFor(catalog, tenantOf(request), type)],
        content: { subject: subject ?? defaultSubject, text },
      },
      { '/to': '/recipient', '/channels': '/type', '/content/subject': '/subject', '/content': '/message' },
    )
    if (result.kind === 'refused') return sendProblem(reply, result.problem)
    // 200, the status that such handlers answer by default: a client that compares with it goes on working.
    return { status: 'queued', id: formatNotificationId(keys, tenantOf(request), result.id), message }
  })
}
