import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'

/** One thing wrong with a request, and where: a JSON Pointer into the body (RFC 6901), or the name of a parameter or header. */
export interface FieldError {
  pointer?: string
  parameter?: string
  header?: string
  /** Stable, for programs. */
  code: string
  /** For people. Never repeats a value of the request. */
  detail: string
}

export interface Problem {
  status: number
  /** Stable, for programs, such as `validation_failed`. */
  code: string
  /** One sentence for people: what is wrong this time. */
  detail: string
  errors?: readonly FieldError[]
  /** Seconds after which a repeat may succeed. */
  retryAfter?: number
}

const typeBase = 'https://carillon.dev/problems/'

/** Sends problem details as RFC 9457 has them, with our `code`, `request_id` and `errors`. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, retryAfter } = problem
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply
    .code(status)
    .type(problemType)
    .send(problemBody(problem, { instance: pathOf(reply.request.url), request_id: reply.request.id }))
}

export const problemType = 'application/problem+json'

/** @param request what is known of the request: nothing where it could not be read. */
export function problemBody(
  { status, code, detail, errors }: Problem,
  request: { instance?: string; request_id?: string },
): Record<string, unknown> {
  const { instance, request_id } = request
  return {
    type: typeBase + code.replaceAll('_', '-'),
    title: STATUS_CODES[status],
    status,
    detail,
    instance,
    code,
    request_id,
    ...(errors && { errors }),
  }
}

/** The answer to a request whose fields are wrong: 422, with each of them named. */
export function invalidRequest(errors: readonly FieldError[]): Problem {
  const detail = errors.length === 1 ? '1 field is wrong.' : `${errors.length} fields are wrong.`
  return { status: 422, code: 'validation_failed', detail, errors }
}

export const notFound = (detail: string): Problem => ({ status: 404, code: 'not_found', detail })

/** Without the query, which may hold anything. */
function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

/** What is wrong at one place of the body. */
export const fieldError = (pointer: string, code: string, detail: string): FieldError => ({
  pointer,
  code,
  detail,
})
