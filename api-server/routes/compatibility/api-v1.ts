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
import { sendAdapted, typeNames } from './adapt.ts'

const body = z
  .object({
    user_id: z.string(),
    template_id: z.string(),
    channels: z
      .array(z.string())
      .nullish()
      .describe('Names or types of channels. Default: all the template is for.'),
    data: z.record(z.string(), z.unknown()).nullish(),
  })
  .meta({
    examples: [
      {
        user_id: 'user123',
        template_id: 'welcome',
        channels: ['push', 'email'],
        data: { username: 'john_doe' },
      },
    ],
  })

const accepted = z.object({ notification_id: z.string(), id: z.string(), status: z.literal('accepted') })
const { id } = acceptedExample

/** `POST /api/v1/notifications`, for older clients: a template to a user. */
export function postApiV1Notifications(
  app: FastifyInstance,
  { send, catalog, keys }: { send: Send; catalog: Catalog; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'postApiV1Notifications',
    summary: 'Send a template to a user',
    tags: ['compatibility'],
    headers: idempotencyHeaders,
    body: jsonSchema(body),
    response: {
      202: answer('Accepted.', accepted, { notification_id: id, id, status: 'accepted' }),
      ...problems(...bodyProblems, 503),
    },
  }
  app.post<{ Body: z.infer<typeof body> }>('/api/v1/notifications', { schema }, async (request, reply) => {
    const { user_id, template_id, channels, data } = request.body
    const tenant = tenantOf(request)
    const named = channels?.map((name) => toChannelName(catalog, tenant, name)) ?? []
    const distinct = [...new Set(named)]
    const result = await sendAdapted(
      send,
      request,
      {
        to: [{ user_id }],
        template: { id: template_id },
        ...(distinct.length > 0 && { channels: distinct }),
        ...(data && { data }),
      },
      {
        '/to': '/user_id',
        '/template': '/template_id',
        ...Object.fromEntries(
          distinct.map((name, index) => [`/channels/${index}`, `/channels/${named.indexOf(name)}`]),
        ),
      },
    )
    if (result.kind === 'refused') return sendProblem(reply, result.problem)
    const notificationId = formatNotificationId(keys, tenant, result.id)
    reply.code(202).header('location', `/v1/notifications/${notificationId}`)
    return { notification_id: notificationId, id: notificationId, status: 'accepted' }
  })
}

/** What is no name of a channel may be a type. */
function toChannelName(catalog: Catalog, tenant: string, name: string): string {
  const isName = catalog.channel(tenant, name) !== undefined || !Object.hasOwn(typeNames, name)
  return isName ? name : channelNameFor(catalog, tenant, typeNames[name]!)
}
