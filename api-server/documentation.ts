import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { problemDetails } from './resources.ts'

/** Swagger UI needs its own scripts and styles and draws with data URLs. Nothing comes from elsewhere, and nothing is inline. */
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const problemExample = {
  type: 'https://carillon.dev/problems/validation-failed',
  title: 'Unprocessable Entity',
  status: 422,
  detail: '1 field is wrong.',
  instance: '/v1/notifications',
  code: 'validation_failed',
  request_id: 'req_4tTf2hB6Q3ut0Ecz',
  errors: [
    {
      pointer: '/to/0/phone',
      code: 'wrong_format',
      detail: 'does not fit: A phone number in E.164 form: +15550100.',
    },
  ],
}

/** Serves the OpenAPI document of the routes registered after it, and pages to read and try it. Works without the Internet. */
export async function serveDocumentation(app: FastifyInstance): Promise<void> {
  app.addSchema({ $id: 'Problem', ...outputSchema(problemDetails), examples: [problemExample] })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Carillon',
        version: '1',
        description: 'Send notifications, and read what became of each of them.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: [
        { name: 'notifications', description: 'Send, and read what became of it.' },
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
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: docsPolicy })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}

/** The JSON Schema of what we answer. */
export function outputSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'output' })
  return rest
}

/** A documented answer: JSON of this schema, such as the example. */
export function answer<S extends z.ZodType>(description: string, schema: S, example: z.output<S>): object {
  return { description, content: { 'application/json': { schema: outputSchema(schema), example } } }
}

const problemTexts = {
  400: 'The body is no JSON.',
  404: 'There is no such thing.',
  413: 'The body is too large.',
  415: 'The body is not declared as JSON.',
  422: 'Fields are wrong: `errors` names each of them.',
  503: 'Not now: `Retry-After` says when to try again.',
} as const

/** The documented problems of a route. 500 is everywhere. */
export function problems(...statuses: (keyof typeof problemTexts)[]): Record<number, object> {
  const content = { 'application/problem+json': { schema: { $ref: 'Problem#' } } }
  return Object.fromEntries([
    ...statuses.map((status) => [status, { description: problemTexts[status], content }]),
    [500, { description: 'A fault of ours.', content }],
  ]) as Record<number, object>
}

/** The problems of every route that takes a body. */
export const bodyProblems = [400, 413, 415, 422] as const
