import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { listInbox } from '../../core/store/inbox.ts'
import type { Database } from '../../core/store/schema.ts'
import { presentInbox } from '../answers/present.ts'
import { inboxPage } from '../answers/resources.ts'
import { decodeCursor } from '../http/cursor.ts'
import { invalidRequest, sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { answer, problems } from '../openapi/documentation.ts'
import { userParams } from './user-params.ts'

const example = {
  data: [
    {
      id: 'dlv_067nhxg0znrqh8ssm9zm9qbm4r',
      title: 'Welcome, John',
      body: 'Your account is ready. Have a look around.',
      action_url: '/getting-started',
      created_at: '2026-11-30T09:00:00.000Z',
    },
  ],
  next_cursor: 'YmVmb3JlOjQy',
}

/** `GET /v1/users/{id}/inbox`. */
export function getInbox(app: FastifyInstance, { db }: { db: Kysely<Database> }): void {
  const schema = {
    operationId: 'getInbox',
    summary: 'Read the inbox of a user',
    description: 'The in-app messages of a user, newest first. A user without messages has an empty inbox.',
    tags: ['users'],
    params: userParams,
    querystring: {
      type: 'object',
      properties: {
        limit: { type: 'integer', minimum: 1, maximum: 200, default: 50, description: 'Messages in a page.' },
        cursor: { type: 'string', maxLength: 64, description: 'The `next_cursor` of the page before.' },
      },
      additionalProperties: false,
    },
    response: { 200: answer('A page of messages.', inboxPage, example), ...problems(422, 503) },
  }
  app.get<{ Params: { id: string }; Querystring: { limit: number; cursor?: string } }>(
    '/v1/users/:id/inbox',
    { schema },
    async (request, reply) => {
      const { limit, cursor } = request.query
      const before = cursor === undefined ? undefined : decodeCursor(cursor)
      if (cursor !== undefined && before === undefined) {
        const error = { parameter: 'cursor', code: 'wrong_format', detail: 'is no cursor of this list' }
        return sendProblem(reply, invalidRequest([error]))
      }
      const page = await listInbox(db, {
        tenant: tenantOf(request),
        userId: request.params.id,
        limit,
        ...(before !== undefined && { before }),
      })
      return presentInbox(page)
    },
  )
}
