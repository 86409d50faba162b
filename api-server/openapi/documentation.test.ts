import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { beforeAll, describe, expect, it } from 'vitest'
import { useTestApi } from '../../test/harness/api.ts'

interface Media {
  schema: object
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  parameters?: { name: string; in: string; description?: string }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; content: Record<string, Media> }>
}

interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  tags: { name: string }[]
  components: { schemas: Record<string, object> }
}

const api = useTestApi()
let document: Document
const ajv = new Ajv2020({ strict: false, allErrors: true })
ajvFormats.default(ajv)
let operations: { method: string; path: string; operation: Operation }[]

beforeAll(async () => {
  document = (await api.app.inject('/openapi.json')).json<Document>()
  ajv.addSchema({ $id: 'document', components: document.components })
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
})

/** What is wrong with a value, by a schema of the document. */
function faultsOf(schema: object, value: unknown): unknown {
  const resolvable = JSON.stringify(schema).replaceAll('"#/', '"document#/')
  const validate = ajv.compile(JSON.parse(resolvable) as object)
  return validate(value) ? undefined : validate.errors
}

describe('the OpenAPI document', () => {
  it('describes every route', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual([
      'GET /health',
      'GET /livez',
      'GET /metrics',
      'GET /notifications/{user_id}',
      'GET /readyz',
      'GET /v1/dead-letters',
      'GET /v1/notifications/{id}',
      'GET /v1/replays',
      'GET /v1/replays/{id}',
      'GET /v1/users/{id}',
      'GET /v1/users/{id}/inbox',
      'POST /api/v1/notifications',
      'POST /notify',
      'POST /send-notification',
      'POST /v1/notifications',
      'POST /v1/notifications/{id}/cancel',
      'POST /v1/replays',
      'POST /v1/replays/{id}/cancel',
      'POST /v1/replays/{id}/resume',
      'PUT /v1/users/{id}',
    ])
  })

  it('gives each operation a name, a summary, a tag, and its parameters', () => {
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
    const tags = document.tags.map(({ name }) => name)
    for (const { path, operation } of operations) {
      expect(operation.summary).toMatch(/^[A-Z].{5,60}[^.]$/)
      expect(tags).toEqual(expect.arrayContaining(operation.tags))
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
      expect(operation.parameters?.every(({ description }) => description) ?? true).toBe(true)
    }
  })

  it('has examples that fit their schemas', () => {
    const media = operations.flatMap(({ method, path, operation }) => [
      ...Object.values(operation.requestBody?.content ?? {}).map((body) => ({
        at: `${method} ${path}`,
        body,
      })),
      ...Object.entries(operation.responses).flatMap(([status, { content }]) =>
        Object.values(content).map((body) => ({ at: `${method} ${path} ${status}`, body })),
      ),
    ])
    expect(media.length).toBeGreaterThan(50)
    for (const { at, body } of media) {
      const examples = body.examples
        ? Object.values(body.examples).map(({ value }) => value)
        : [body.example].filter((example) => example !== undefined)
      expect({ at, examples: examples.length }).not.toMatchObject({ examples: 0 })
      for (const example of examples)
        expect({ at, faults: faultsOf(body.schema, example) }).toEqual({ at, faults: undefined })
    }
  })

  it('says which problems a route may answer', () => {
    const withoutProblems = new Set(['/health', '/livez', '/readyz', '/metrics'])
    for (const { operation } of operations.filter(({ path }) => !withoutProblems.has(path))) {
      const statuses = Object.keys(operation.responses)
      expect(statuses).toEqual(expect.arrayContaining(['500', '503']))
      if (operation.requestBody)
        expect(statuses).toEqual(expect.arrayContaining(['400', '413', '415', '422']))
      expect(operation.responses['503']).toHaveProperty(['headers', 'Retry-After'])
    }
  })

  it.each(['/v1/users/%zz', `/v1/users/${'x'.repeat(2_000)}`, 'http://example.com/v1/users/u'])(
    'says what the server refuses before there is a route: %s',
    async (url) => {
      const response = await api.app.inject(url)
      const other = document.paths['/v1/users/{id}']!['get']!.responses['default']!
      expect(response.statusCode).toBeGreaterThanOrEqual(400)
      expect(other.description).toContain(`${response.statusCode} \``)
      expect(other.description).toContain(`\`${response.json<{ code: string }>().code}\``)
      const { schema } = other.content['application/problem+json']!
      expect(faultsOf(schema, response.json())).toBeUndefined()
    },
  )

  it.each<[string, string, string, object?]>([
    [
      'POST',
      '/v1/notifications',
      '/v1/notifications',
      { to: [{ user_id: 'u' }], template: { id: 'welcome' }, data: { username: 'a' } },
    ],
    ['POST', '/v1/notifications', '/v1/notifications', {}],
    ['GET', '/v1/notifications/{id}', '/v1/notifications/x'],
    ['PUT', '/v1/users/{id}', '/v1/users/u', { email: 'a@b.c', attributes: { a: [1] } }],
    ['PUT', '/v1/users/{id}', '/v1/users/u', { email: 'a@b.c' }],
    ['GET', '/v1/dead-letters', '/v1/dead-letters?limit=1'],
    ['GET', '/v1/dead-letters', '/v1/dead-letters?cursor=x'],
    ['GET', '/v1/dead-letters', '/v1/dead-letters?channel=%00'],
    ['POST', '/v1/replays', '/v1/replays', { dry_run: true }],
    ['POST', '/v1/replays', '/v1/replays', { filter: { channels: ['email'] }, rate: 10 }],
    ['POST', '/v1/replays', '/v1/replays', { rate: 0 }],
    ['GET', '/v1/replays', '/v1/replays?limit=1'],
    ['GET', '/v1/replays/{id}', '/v1/replays/x'],
    ['POST', '/v1/replays/{id}/cancel', '/v1/replays/x/cancel'],
    ['POST', '/v1/replays/{id}/resume', '/v1/replays/x/resume'],
    ['GET', '/v1/users/{id}', '/v1/users/u'],
    ['GET', '/v1/users/{id}/inbox', '/v1/users/u/inbox'],
    ['GET', '/v1/users/{id}/inbox', '/v1/users/u/inbox?limit=x'],
    [
      'POST',
      '/send-notification',
      '/send-notification',
      { type: 'sms', recipient: '+15550100', message: 'Hi' },
    ],
    ['POST', '/notify', '/notify', { type: 'in_app', message: 'Hi', user_id: 'u' }],
    ['POST', '/notify', '/notify', { type: 'in_app', message: 'Hi' }],
    ['GET', '/notifications/{user_id}', '/notifications/u'],
    [
      'POST',
      '/api/v1/notifications',
      '/api/v1/notifications',
      { user_id: 'u', template_id: 'welcome', data: { username: 'a' } },
    ],
    ['GET', '/health', '/health'],
    ['GET', '/livez', '/livez'],
    ['GET', '/readyz', '/readyz'],
  ])('%s %s tells the truth of what is answered', async (method, path, url, payload) => {
    const response = await api.app.inject({ method: method as 'GET', url, ...(payload && { payload }) })
    const documented = document.paths[path]![method.toLowerCase()]!.responses[String(response.statusCode)]
    const type = String(response.headers['content-type']).split(';')[0]!
    expect(documented?.content).toHaveProperty([type])
    expect(faultsOf(documented!.content[type]!.schema, response.json())).toBeUndefined()
  })

  it('of a recorded notification tells the truth too', async () => {
    const sent = await api.app.inject({
      method: 'POST',
      url: '/v1/notifications',
      payload: { to: [{ user_id: 'u' }], channels: ['email'], content: { subject: 'Hi', text: 'Hi' } },
    })
    const { id } = sent.json<{ id: string }>()
    const response = await api.app.inject(`/v1/notifications/${id}`)
    const { schema } =
      document.paths['/v1/notifications/{id}']!['get']!.responses['200']!.content['application/json']!
    expect(faultsOf(schema, response.json())).toBeUndefined()
  })
})

describe('the pages', () => {
  it.each(['/', '/docs/', '/docs'])('%s runs and loads nothing from elsewhere', async (url) => {
    const response = await api.app.inject(url)
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toContain('text/html')
    const policy = String(response.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(response.body).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|(src|href)="(https?:)?\/\//)
  })

  it('bring their own scripts and styles', async () => {
    const { body } = await api.app.inject('/docs/')
    const assets = [...body.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => `/docs${path}`)
    expect(assets.length).toBeGreaterThan(3)
    for (const asset of assets) {
      const { statusCode } = await api.app.inject(asset)
      expect({ asset, statusCode }).toEqual({ asset, statusCode: 200 })
    }
    expect((await api.app.inject('/docs/json')).json()).toEqual(document)
  })
})
