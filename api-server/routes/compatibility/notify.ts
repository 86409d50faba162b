import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Catalog } from '../../../core/catalog/catalog.ts'
import { channelNameFor } from '../../accept/choose-channels.ts'
import { idempotencyHeaders } from '../../accept/idempotency-key.ts'
import type { Send } from '../../accept/send.ts'
import type { SendRequest } from '../../accept/send-request.ts'
import { sendProblem } from '../../http/problem.ts'
import { tenantOf } from '../../http/tenant.ts'
import { jsonSchema } from '../../http/validation.ts'
import { answer, bodyProblems, problems } from '../../openapi/documentation.ts'
import { defaultSubject, sendAdapted, typeNames } from './adapt.ts'

const body = z
  .object({
    type: z.enum(['email', 'sms', 'in_app']),
    message: z.string(),
    email: z.string().nullish().describe('Needed for email.'),
    phone: z.string().nullish().describe('Needed for sms.'),
    user_id: z.string().nullish().describe('Needed for sms and in_app.'),
  })
  .meta({
    examples: [
      { type: 'email', message: 'Hello!', email: 'user@example.com' },
      { type: 'sms', message: 'Hello!', phone: '+1234567890', user_id: 'user123' },
      { type: 'in_app', message: 'Hello!', user_id: 'user123' },
    ],
  })

type Notify = z.infer<typeof body>

const answers = z.union([z.object({ status: z.string() }), z.object({ error: z.string() })])
const queued = { status: 'Notification queued.' }

/** `POST /notify`, for older clients: to one person by mail, SMS or in-app. */
export function postNotify(app: FastifyInstance, { send, catalog }: { send: Send; catalog: Catalog }): void {
  const schema = {
    operationId: 'postNotify',
    summary: 'Send to one person by mail, SMS or in-app',
    description: 'A missing address is answered with 200 and `error`, as clients of this route expect.',
    tags: ['compatibility'],
    headers: idempotencyHeaders,
    body: jsonSchema(body),
    response: {
      200: answer('Accepted, or a sentence that says what is missing.', answers, queued),
      ...problems(...bodyProblems, 503),
    },
  }
  app.post<{ Body: Notify }>('/notify', { schema }, async (request, reply) => {
    const { type: name, message, user_id: userId } = request.body
    const missing = sentenceOf(request.body)
    if (missing !== undefined) return { error: missing }
    const type = typeNames[name]!
    const native: SendRequest = {
      to: [addressOf(request.body)],
      channels: [channelNameFor(catalog, tenantOf(request), type)],
      content: { subject: defaultSubject, text: message },
      ...(name === 'sms' && { metadata: { user_id: userId ?? '' } }),
    }
    const result = await sendAdapted(send, request, native, {
      '/to/0/email': '/email',
      '/to/0/phone': '/phone',
      '/to/0/user_id': '/user_id',
      '/metadata': '/user_id',
      '/channels': '/type',
      '/content': '/message',
    })
    return result.kind === 'refused' ? sendProblem(reply, result.problem) : queued
  })
}

/** The sentences of the service that this route comes from. */
function sentenceOf({ type, email, phone, user_id }: Notify): string | undefined {
  if (type === 'email' && !email) return 'Please provide an email address.'
  if (type === 'sms' && (!phone || !user_id)) return 'Phone and user ID are needed for SMS.'
  if (type === 'in_app' && !user_id) return 'User ID is required for in-app notifications.'
  return undefined
}

function addressOf({ type, email, phone, user_id }: Notify): SendRequest['to'][number] {
  if (type === 'email') return { email: email ?? '' }
  return type === 'sms' ? { phone: phone ?? '' } : { user_id: user_id ?? '' }
}
