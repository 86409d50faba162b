import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { listInbox } from '../../../core/store/inbox.ts'
import type { Database } from '../../../core/store/schema.ts'
import { tenantOf } from '../../http/tenant.ts'
import { answer, problems } from '../../openapi/documentation.ts'
import { userIdParams } from '../user-params.ts'

/** The route has no pages: what is older than this many messages is found at /v1/users/{id}/inbox. */
const maxMessages = 200

const messages = z.object({
  user_id: z.string(),
  messages: z.array(z.object({ id: z.int(), message: z.string() })),
})

const example = {
  user_id: 'user123',
  messages: [
    { id: 1, message: 'Welcome to our platform!' },
    { id: 2, message: 'You have a new friend request.' },
  ],
}

/** `GET /notifications/{user_id}`, for older clients: the in-app messages of a user. */
export function getUserNotifications(app: FastifyInstance, { db }: { db: Kysely<Database> }): void {
  const schema = {
    operationId: 'getUserNotifications',
    summary: 'Read the in-app messages of a user',
    description: `The last ${maxMessages}, oldest first.`,
    tags: ['compatibility'],
    params: userIdParams,
    response: { 200: answer('The messages.', messages, example), ...problems(422, 503) },
  }
  app.get<{ Params: { user_id: string } }>('/notifications/:user_id', { schema }, async (request, reply) => {
    const { user_id: userId } = request.params
    const page = await listInbox(db, { tenant: tenantOf(request), userId, limit: maxMessages })
    return reply.send({
      user_id: userId,
      messages: page.messages
        .toReversed()
        .map(({ sequence, title, body }) => ({ id: sequence, message: body || title })),
    })
  })
}
