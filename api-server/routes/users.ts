import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Clock } from '../../core/clock.ts'
import { type UserProfile, userProfileSchema } from '../../core/notification/user-profile.ts'
import type { Database } from '../../core/store/schema.ts'
import { getUser, putUser } from '../../core/store/users.ts'
import { presentUser } from '../answers/present.ts'
import { userResource } from '../answers/resources.ts'
import { notFound, sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { jsonSchema } from '../http/validation.ts'
import { answer, bodyProblems, problems } from '../openapi/documentation.ts'
import { userParams } from './user-params.ts'

/** A profile is read for every message to the user: bytes of JSON, at most. */
const maxProfile = 64 * 1024

const profile = {
  name: 'John Doe',
  email: 'john.doe@example.com',
  phone: '+15550100',
  device_tokens: ['device-token-of-user123'],
  locale: 'en',
  attributes: { plan: 'gold' },
}
const example = {
  id: 'user123',
  ...profile,
  created_at: '2026-11-30T09:00:00.000Z',
  updated_at: '2026-11-30T09:00:00.000Z',
}

/** `PUT` and `GET /v1/users/{id}`. */
export function users(app: FastifyInstance, { db, clock }: { db: Kysely<Database>; clock: Clock }): void {
  const put = {
    operationId: 'putUser',
    summary: 'Create or replace a user',
    description: 'Replaces the whole profile: an address that is left out is forgotten.',
    tags: ['users'],
    params: userParams,
    body: { ...jsonSchema(userProfileSchema), examples: [profile] },
    response: {
      200: answer('Replaced.', userResource, example),
      201: answer('Created.', userResource, example),
      ...problems(...bodyProblems, 503),
    },
  }
  app.put<{ Params: { id: string }; Body: UserProfile }>(
    '/v1/users/:id',
    { schema: put, bodyLimit: maxProfile },
    async (request, reply) => {
      const { id } = request.params
      const tenant = tenantOf(request)
      const now = new Date(clock.now())
      const { created, user } = await putUser(db, { tenant, id, profile: request.body, now })
      return reply.code(created ? 201 : 200).send(presentUser(id, user))
    },
  )

  const get = {
    operationId: 'getUser',
    summary: 'Read a user',
    tags: ['users'],
    params: userParams,
    response: { 200: answer('The user.', userResource, example), ...problems(404, 422, 503) },
  }
  app.get<{ Params: { id: string } }>('/v1/users/:id', { schema: get }, async (request, reply) => {
    const { id } = request.params
    const user = await getUser(db, tenantOf(request), id)
    return user === undefined ? sendProblem(reply, notFound('There is no such user.')) : presentUser(id, user)
  })
}
