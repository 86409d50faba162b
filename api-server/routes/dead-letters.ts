import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { InstallKeys } from '../../core/notification/ids.ts'
import { type Reason, reasons } from '../../core/notification/status.ts'
import { listDeadLetters } from '../../core/store/dead-letters.ts'
import { label } from '../../core/resources/resource.ts'
import type { Database } from '../../core/store/schema.ts'
import { type PageQuery, pageParameters, readPage } from '../http/page.ts'
import { tenantOf } from '../http/tenant.ts'
import { jsonSchema } from '../http/validation.ts'
import { answer, problems } from '../openapi/documentation.ts'
import { type DeadLetterResource, deadLetterPage, presentDeadLetters } from '../replay/resources.ts'

export const deadLetterExample: DeadLetterResource = {
  delivery: 'dlv_067nhxg0znrqh8ssm9zm9qbm4r',
  notification: 'ntf_067nhxg0znrqh8ssm9zm9qbm4r00000000',
  channel: 'email',
  type: 'email',
  recipient: { user_id: 'user123' },
  reason: 'retries_exhausted',
  template: 'order-shipped',
  category: 'orders',
  attempts: 8,
  replays: 0,
  last_error: {
    outcome: 'not_sent',
    provider: 'primary',
    code: 'ECONNREFUSED',
    detail: 'connection refused',
  },
  dead_lettered_at: '2026-11-30T12:42:10.140Z',
  expires_at: '2026-12-03T09:00:00.000Z',
}

/** `GET /v1/dead-letters`. */
export function deadLetters(
  app: FastifyInstance,
  { db, keys }: { db: Kysely<Database>; keys: InstallKeys },
): void {
  const schema = {
    operationId: 'listDeadLetters',
    summary: 'List what could not be delivered',
    description:
      'Deliveries that ended as `dead_lettered` and were not replayed since, newest first, with the last thing their provider said.',
    tags: ['dead letters'],
    querystring: {
      type: 'object',
      properties: {
        channel: { ...jsonSchema(label()), description: 'Only those of this channel.' },
        reason: { type: 'string', enum: reasons, description: 'Only those with this reason.' },
        ...pageParameters,
      },
      additionalProperties: false,
    },
    response: {
      200: answer('A page of dead letters.', deadLetterPage, {
        data: [deadLetterExample],
        next_cursor: 'YmVmb3JlOjQy',
      }),
      ...problems(422, 503),
    },
  }
  app.get<{ Querystring: PageQuery & { channel?: string; reason?: Reason } }>(
    '/v1/dead-letters',
    { schema },
    async (request, _reply) => {
      const { channel, reason, ...query } = request.query
      const filter = { ...(channel && { channels: [channel] }), ...(reason && { reasons: [reason] }) }
      const page = await listDeadLetters(db, { tenant: tenantOf(request), filter, ...readPage(query) })
      return presentDeadLetters(keys, page)
    },
  )
}
