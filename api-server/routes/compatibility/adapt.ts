import type { FastifyRequest } from 'fastify'
import type { ChannelType } from '../../../core/resources/channel-type.ts'
import type { Send, SendResult } from '../../accept/send.ts'
import { type SendRequest, sendRequestSchema } from '../../accept/send-request.ts'
import { type FieldError, invalidRequest, type Problem } from '../../http/problem.ts'
import { tenantOf } from '../../http/tenant.ts'
import { compileCheck } from '../../http/validation.ts'
import { traceOf } from '../../observability/trace-requests.ts'

/** What older clients say when a message has no subject of its own. */
export const defaultSubject = 'Notification'

/** The words of older clients for a type of channel. */
export const typeNames: Readonly<Record<string, ChannelType>> = {
  email: 'email',
  sms: 'sms',
  push: 'push',
  slack: 'slack',
  webhook: 'webhook',
  'in-app': 'inapp',
  in_app: 'inapp',
  inapp: 'inapp',
}

/** Where the fields of our request came from: the pointer to one or to what it is in, and the pointer into the older body. */
export type Origins = Readonly<Record<string, string>>

/** Which recipient an address of an older client is, by the type of its message. */
export function recipientOf(type: ChannelType, address: string): SendRequest['to'][number] {
  switch (type) {
    case 'email':
      return { email: address }
    case 'sms':
      return { phone: address }
    case 'push':
      return { device_token: address }
    case 'slack':
      return { slack_channel: address }
    case 'webhook':
      return { webhook_url: address }
    case 'inapp':
      return { user_id: address }
  }
}

const check = compileCheck(sendRequestSchema)

/** Sends what an older route was asked to, in our words; errors point into the body that the client wrote. */
export async function sendAdapted(
  send: Send,
  http: FastifyRequest,
  request: SendRequest,
  origins: Origins,
): Promise<SendResult> {
  const errors = check(request)
  if (errors.length > 0) return { kind: 'refused', problem: translate(invalidRequest(errors), origins) }
  const key = http.headers['idempotency-key']
  const result = await send({
    tenant: tenantOf(http),
    request,
    idempotencyKey: typeof key === 'string' ? key : undefined,
    trace: traceOf(http),
  })
  return result.kind === 'refused' ? { ...result, problem: translate(result.problem, origins) } : result
}

function translate(problem: Problem, origins: Origins): Problem {
  if (problem.errors === undefined) return problem
  const errors = problem.errors.map((error): FieldError => {
    const { pointer = '' } = error
    const origin = Object.keys(origins).find((place) => `${pointer}/`.startsWith(`${place}/`))
    return origin === undefined ? error : { ...error, pointer: origins[origin]! }
  })
  return { ...problem, errors }
}
