import { METHODS } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../core/broker/broker.ts'
import { isStoreUnavailable } from '../../core/store/store.ts'
import { invalidRequest, notFound, type Problem, sendProblem } from './problem.ts'
import { InvalidRequest } from './validation.ts'

const byCode: Readonly<Record<string, Problem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: 'payload_too_large',
    detail: 'The body is larger than this route takes.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: 'unsupported_media_type',
    detail: 'The body must be JSON, with Content-Type: application/json and no Content-Encoding.',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: {
    status: 400,
    code: 'malformed_json',
    detail: 'The body is no JSON in UTF-8, or names __proto__ or the prototype of a constructor.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, code: 'malformed_json', detail: 'The body is empty.' },
}

/** Answers everything that goes wrong with problem details; what is our own fault is logged and not shown. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const problem = isBrokenOff(request) ? brokenOff : toProblem(error)
    if (problem === brokenOff) request.log.debug('Request broken off')
    if (problem.status >= 500) request.log.error({ err: error }, 'Request failed')
    return sendProblem(reply, problem)
  })

  const routes: { method: string; pattern: RegExp }[] = []
  app.addHook('onRoute', ({ method, url }) => {
    const pattern = new RegExp(
      `^${url.replaceAll(/[.*+?^$(){}|[\]\\]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')}$`,
    )
    for (const one of [method].flat()) routes.push({ method: one, pattern })
  })
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const allowed = new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))
    if (allowed.size === 0) return sendProblem(reply, notFound('There is no such route.'))
    reply.header('allow', METHODS.filter((method) => allowed.has(method)).join(', '))
    return sendProblem(reply, {
      status: 405,
      code: 'method_not_allowed',
      detail: `This route does not know ${request.method}.`,
    })
  })
}

/** What the router itself refuses, before there is a route. */
export function answerFrameworkError(
  error: FastifyError,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const problem =
    error.statusCode === 414
      ? { status: 414, code: 'url_too_long', detail: 'A part of the path is longer than any id.' }
      : { status: 400, code: 'malformed_url', detail: 'The URL cannot be decoded.' }
  sendProblem(reply, problem)
}

/** Nobody reads it, but the log must not take it for a fault of ours. */
const brokenOff: Problem = {
  status: 400,
  code: 'bad_request',
  detail: 'The connection ended before the request did.',
}

function isBrokenOff({ raw }: FastifyRequest): boolean {
  return raw.destroyed && !raw.complete
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof InvalidRequest) return invalidRequest(error.errors)
  if (isStoreUnavailable(error))
    return {
      status: 503,
      code: 'store_unavailable',
      detail: 'The database cannot be reached.',
      retryAfter: 5,
    }
  if (error instanceof BrokerError)
    return { status: 503, code: 'broker_unavailable', detail: 'The broker cannot be reached.', retryAfter: 5 }
  const known = byCode[error.code]
  if (known !== undefined) return known
  const { statusCode = 500 } = error
  if (statusCode >= 400 && statusCode < 500)
    return { status: statusCode, code: 'bad_request', detail: 'The request cannot be read.' }
  return {
    status: 500,
    code: 'internal_error',
    detail: 'Something went wrong here. The request id finds it in our log.',
  }
}
