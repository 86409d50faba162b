import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { type InstallKeys, parseNotificationId } from '../../core/notification/ids.ts'
import { isTerminal } from '../../core/notification/status.ts'
import { cancelNotification as cancel } from '../../core/store/cancellations.ts'
import { readNotification } from '../../core/store/notifications.ts'
import type { Database } from '../../core/store/schema.ts'
import { presentNotification } from '../answers/present.ts'
import { type NotificationResource, notificationResource } from '../answers/resources.ts'
import { allowNoBody } from '../http/json-body.ts'
import { notFound, sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { answer, problems } from '../openapi/documentation.ts'
import { notificationExample, notificationParams } from './get-notification.ts'

const { attempts: _, provider: __, ...queued } = notificationExample.deliveries[0]!
const cancelledExample: NotificationResource = {
  ...notificationExample,
  status: 'cancelled',
  deliveries: [
    {
      ...queued,
      status: 'cancelled',
      attempts: [],
      timeline: [
        { at: '2026-11-30T09:00:00.000Z', event: 'accepted' },
        { at: '2026-11-30T09:00:00.140Z', event: 'cancelled' },
      ],
    },
  ],
}

/** `POST`, not `DELETE`: the notification stays and goes on saying what became of it, as with most vendors. */
export function cancelNotification(
  app: FastifyInstance,
  { db, keys }: { db: Kysely<Database>; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'cancelNotification',
    summary: 'Cancel what is not sent yet',
    description:
      'Deliveries that wait, for their turn or for a retry, end as `cancelled`. One that is being sent right now is too late, but is not tried again when it fails. The answer shows each of them. May be repeated.',
    tags: ['notifications'],
    params: notificationParams,
    response: {
      200: answer('Cancelled, as far as it was not too late.', notificationResource, cancelledExample),
      202: answer('Not planned yet: its deliveries will end as `cancelled`.', notificationResource, {
        id: notificationExample.id,
        status: 'accepted',
        deliveries: [],
      }),
      ...problems(400, 404, 409, 413, 415, 503),
    },
  }
  app.post<{ Params: { id: string } }>(
    '/v1/notifications/:id/cancel',
    { schema, onRequest: allowNoBody },
    async (request, reply) => {
      const tenant = tenantOf(request)
      const id = parseNotificationId(keys, tenant, request.params.id)
      if (id === undefined) return sendProblem(reply, notFound('There is no such notification.'))
      await cancel(db, tenant, id)
      const history = await readNotification(db, tenant, id)
      if (history === undefined) {
        const accepted: NotificationResource = { id: request.params.id, status: 'accepted', deliveries: [] }
        return reply.code(202).send(accepted)
      }
      const tooLate = history.deliveries.every(({ status }) => isTerminal(status) && status !== 'cancelled')
      return tooLate
        ? sendProblem(reply, { status: 409, code: 'too_late', detail: 'Every delivery has ended.' })
        : presentNotification(keys, history)
    },
  )
}
