import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { type InstallKeys, parseNotificationId } from '../../core/notification/ids.ts'
import { readNotification } from '../../core/store/notifications.ts'
import type { Database } from '../../core/store/schema.ts'
import { presentNotification } from '../answers/present.ts'
import { type NotificationResource, notificationResource } from '../answers/resources.ts'
import { notFound, sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { answer, problems } from '../openapi/documentation.ts'
import { acceptedExample } from './post-notification.ts'

export const notificationExample: NotificationResource = {
  ...acceptedExample,
  status: 'completed',
  channels: ['email'],
  category: 'account',
  metadata: {},
  deliveries: [
    {
      id: 'dlv_067nhxg0znrqh8ssm9zm9qbm4r',
      channel: 'email',
      type: 'email',
      recipient: { user_id: 'user123' },
      status: 'sent',
      provider: 'primary',
      created_at: '2026-11-30T09:00:00.012Z',
      updated_at: '2026-11-30T09:00:00.140Z',
      attempts: [
        {
          attempt: 1,
          claim: 1,
          replay: 0,
          outcome: 'sent',
          provider: 'primary',
          started_at: '2026-11-30T09:00:00.020Z',
          finished_at: '2026-11-30T09:00:00.140Z',
        },
      ],
      timeline: [
        { at: '2026-11-30T09:00:00.000Z', event: 'accepted' },
        { at: '2026-11-30T09:00:00.012Z', event: 'queued' },
        { at: '2026-11-30T09:00:00.020Z', event: 'sending', attempt: 1 },
        { at: '2026-11-30T09:00:00.140Z', event: 'sent', attempt: 1, provider: 'primary' },
      ],
    },
  ],
}

export const notificationParams = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'The `id` of the 202.', examples: [acceptedExample.id] },
  },
  required: ['id'],
}

/** `GET /v1/notifications/{id}`: also of one that is accepted and not yet recorded, which its id proves. */
export function getNotification(
  app: FastifyInstance,
  { db, keys }: { db: Kysely<Database>; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'getNotification',
    summary: 'Read what became of a notification',
    tags: ['notifications'],
    params: notificationParams,
    response: {
      200: answer(
        'The notification, its deliveries and their attempts.',
        notificationResource,
        notificationExample,
      ),
      ...problems(404, 503),
    },
  }
  app.get<{ Params: { id: string } }>('/v1/notifications/:id', { schema }, async (request, reply) => {
    const tenant = tenantOf(request)
    const id = parseNotificationId(keys, tenant, request.params.id)
    if (id === undefined) return sendProblem(reply, notFound('There is no such notification.'))
    const history = await readNotification(db, tenant, id)
    if (history !== undefined) return presentNotification(keys, history)
    // We issued the id, so the planner will record it, or has not kept it: never a 404 right after the 202.
    const accepted: NotificationResource = { id: request.params.id, status: 'accepted', deliveries: [] }
    return accepted
  })
}
