import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { problemDetails } from '../answers/resources.ts'

/** Swagger UI needs its own scripts and styles and draws with data URLs. Nothing comes from elsewhere, and nothing is inline. */
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Serves the OpenAPI document of the routes registered after it, and pages to read and try it. Works without the Internet. */
export async function serveDocumentation(app: FastifyInstance): Promise<void> {
  app.addSchema({ $id: 'Problem', ...outputSchema(problemDetails) })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Carillon',
        version: '1',
        description:
          'Send notifications, and read what became of each of them. What is refused is answered with problem details (RFC 9457): programs look at `code`, and at the `pointer` of each of the `errors`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      // None yet: that is why the API listens on loopback only.
      security: [],
      tags: [
        { name: 'notifications', description: 'Send, and read what became of it.' },
        { name: 'dead letters', description: 'What could not be delivered, and its way back.' },
        { name: 'users', description: 'People, their addresses and their inbox.' },
        {
          name: 'compatibility',
          description: 'Routes that older clients know. They ignore fields that they do not know.',
        },
        { name: 'operations', description: 'Health and metrics.' },
      ],
    },
    refResolver: { buildLocalReference: ({ $id }) => $id as string },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: docsPolicy,
    theme: { title: 'Carillon API' },
    // The other layout has a bar that loads any document from anywhere.
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list', tryItOutEnabled: true },
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}

/** The JSON Schema of what we answer. */
function outputSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'output' })
  return rest
}

/** A documented answer: JSON of this schema, such as the example. */
export function answer<S extends z.ZodType>(description: string, schema: S, example: z.output<S>): object {
  return { description, content: { 'application/json': { schema: outputSchema(schema), example } } }
}

const documented = {
  400: ['malformed_json', 'The body is no JSON.'],
  404: ['not_found', 'There is no such thing.'],
  409: ['too_late', 'Every delivery has ended.'],
  413: ['payload_too_large', 'The body is larger than this route takes.'],
  415: ['unsupported_media_type', 'The body is not declared as JSON.'],
  422: ['validation_failed', '1 field is wrong.'],
  500: ['internal_error', 'Something went wrong here.'],
  503: ['broker_unavailable', 'Not now: Retry-After says when to try again.'],
} as const

type DocumentedStatus = keyof typeof documented

/** The documented problems of a route. A 500 may come from any, and so may what is refused before there is a route. */
export function problems(...statuses: DocumentedStatus[]): Record<string, object> {
  const own = [...statuses, 500 as const].map((status) => [status, documentedProblem(status)] as const)
  return { ...Object.fromEntries(own), ...otherProblems }
}

/** What the server refuses whatever the route. */
export const otherProblems = {
  default: describeProblem(
    'Refused before the route was asked: 400 `malformed_request`, `malformed_url`; 408 `request_timeout`; 414 `url_too_long`; 421 `misdirected_request`; 431 `headers_too_large`.',
    421,
    'misdirected_request',
    'This API answers on this machine only: localhost, 127.0.0.1 or [::1].',
  ),
}

const retryAfter = {
  'Retry-After': { type: 'integer', description: 'Seconds after which a repeat may succeed.' },
}

function documentedProblem(status: DocumentedStatus): object {
  const [code, detail] = documented[status]
  const description = status === 422 ? 'Fields are wrong: `errors` names each of them.' : detail
  return {
    ...describeProblem(description, status, code, detail),
    ...(status === 503 && { headers: retryAfter }),
  }
}

function describeProblem(description: string, status: number, code: string, detail: string): object {
  const example: z.infer<typeof problemDetails> = {
    type: `https://carillon.dev/problems/${code.replaceAll('_', '-')}`,
    title: STATUS_CODES[status] ?? '',
    status,
    detail,
    instance: '/v1/notifications',
    code,
    request_id: 'req_4tTf2hB6Q3ut0Ecz',
    ...(status === 422 && {
      errors: [
        {
          pointer: '/to/0/phone',
          code: 'wrong_format',
          detail: 'does not fit: A phone number in E.164 form: +15550100.',
        },
      ],
    }),
  }
  const content = { 'application/problem+json': { schema: { $ref: 'Problem#' }, example } }
  return { description, content }
}

/** The problems of every route that takes a body. */
export const bodyProblems = [400, 413, 415, 422] as const
