import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../core/broker/broker.ts'
import { notificationIdFromKey, parseNotificationId } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { openStore } from '../../core/store/store.ts'
import { testApi, useTestApi } from '../../test/harness/api.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'

const api = useTestApi()

const hello = { to: [{ email: 'Ada@Example.com' }], template: { id: 'welcome' }, data: { username: 'ada' } }

function post(body: unknown, headers: Record<string, string> = {}, from = api) {
  return from.app.inject({
    method: 'POST',
    url: '/v1/notifications',
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

describe('an accepted request', () => {
  it('is answered with the resource and where to find it', async () => {
    const response = await post(hello)
    expect(response.statusCode).toBe(202)
    const { id, created_at, ...rest } = response.json<{ id: string; created_at: string }>()
    expect(parseNotificationId(api.keys, 'default', id)).toBeDefined()
    expect(response.headers.location).toBe(`/v1/notifications/${id}`)
    expect(Math.abs(Date.parse(created_at) - Date.now())).toBeLessThan(10_000)
    expect(rest).toEqual({
      status: 'accepted',
      channels: ['email'],
      template: { id: 'welcome', revision: 'r1' },
    })
  })

  it('is one record that the planner reads, under the key of its recipient', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const metadata = { order: '42' }
    await post({ ...hello, metadata }, { traceparent })
    await post({ ...hello, metadata }, { traceparent: '00-0-0-0' })
    const [first, second] = api.produced
    expect(api.produced).toHaveLength(2)
    expect(first).toMatchObject({ topic: 'test.requests', headers: { traceparent } })
    expect(second!.headers).not.toHaveProperty('traceparent')
    expect(first!.key).toBe(second!.key)
    expect(first!.key).not.toContain('ada')
    expect(api.requests()[0]).toMatchObject({
      tenant: 'default',
      to: hello.to,
      channels: ['email'],
      template: { name: 'welcome', revision: 'r1' },
      data: { username: 'ada' },
      metadata,
    })
  })

  it('to many is spread by its id', async () => {
    await post({ ...hello, to: [{ email: 'a@example.com' }, { email: 'b@example.com' }] })
    expect(api.produced[0]!.key).toBe(api.requests()[0]!.id)
  })

  it('is counted by channel', async () => {
    const fresh = await testApi({ db: api.db })
    await post({ ...hello, to: [{ user_id: 'u' }], channels: ['email', 'push'] }, {}, fresh)
    const { body } = await fresh.app.inject('/metrics')
    await fresh.app.close()
    expect(body).toContain('carillon_accepted_total{namespace="default",channel="push"} 1')
    expect(body).toContain('carillon_produce_duration_seconds_count 1')
    expect(body).toContain(
      'carillon_http_requests_total{route="/v1/notifications",method="POST",code="202"} 1',
    )
    expect(body).toContain(
      'carillon_http_request_duration_seconds_count{route="/v1/notifications",method="POST"} 1',
    )
  })
})

describe('a refused request', () => {
  it.each<[unknown, string, string]>([
    [{}, '/to', 'required'],
    [[], '', 'wrong_type'],
    ['"text"', '', 'wrong_type'],
    ['null', '', 'wrong_type'],
    [{ ...hello, to: [] }, '/to', 'too_few'],
    [{ ...hello, to: {} }, '/to', 'wrong_type'],
    [{ ...hello, to: Array.from({ length: 101 }, () => hello.to[0]) }, '/to', 'too_many'],
    [{ ...hello, to: [{}] }, '/to/0', 'too_few'],
    [{ ...hello, to: [{ user_id: 'u', email: 'a@b.c' }] }, '/to/0', 'too_many'],
    [{ ...hello, to: [{ mail: 'a@b.c' }] }, '/to/0/mail', 'unknown_field'],
    [{ ...hello, to: [{ email: 'ada' }] }, '/to/0/email', 'wrong_format'],
    [{ ...hello, to: [{ email: 'a@b.c\r\nBcc: d@e.f' }] }, '/to/0/email', 'wrong_format'],
    [{ ...hello, to: [hello.to[0], { phone: '0155' }] }, '/to/1/phone', 'wrong_format'],
    [{ ...hello, to: [{ user_id: 42 }] }, '/to/0/user_id', 'wrong_type'],
    [{ ...hello, to: [{ user_id: '' }] }, '/to/0/user_id', 'too_short'],
    [{ ...hello, to: [{ user_id: null }] }, '/to/0/user_id', 'wrong_type'],
    [{ ...hello, to: [{ webhook_url: 'ftp://example.com' }] }, '/to/0/webhook_url', 'wrong_format'],
    [{ ...hello, to: [{ webhook_url: 'https://me:pw@example.com' }] }, '/to/0/webhook_url', 'wrong_format'],
    [{ ...hello, too: [] }, '/too', 'unknown_field'],
    [{ ...hello, 'a/b': 1 }, '/a~1b', 'unknown_field'],
    [{ ...hello, channels: [] }, '/channels', 'too_few'],
    [{ ...hello, channels: 'email' }, '/channels', 'wrong_type'],
    [{ ...hello, channels: ['email', 'email'] }, '/channels', 'not_unique'],
    [{ ...hello, channels: ['E-Mail'] }, '/channels/0', 'wrong_format'],
    [{ ...hello, channels: ['fax'] }, '/channels/0', 'unknown_channel'],
    [{ ...hello, template: 'welcome' }, '/template', 'wrong_type'],
    [{ ...hello, template: {} }, '/template/id', 'required'],
    [{ ...hello, template: { id: 'nope' } }, '/template/id', 'unknown_template'],
    [{ ...hello, template: { id: 'welcome', locale: 'klingon!' } }, '/template/locale', 'wrong_format'],
    [{ to: hello.to }, '/template', 'required'],
    [{ to: hello.to, content: { body: 'Hi' } }, '/content/body', 'unknown_field'],
    [{ to: hello.to, content: { text: 'Hi' } }, '/content/subject', 'required'],
    [{ ...hello, data: [] }, '/data', 'wrong_type'],
    [{ ...hello, data: {} }, '/data/username', 'invalid_data'],
    [{ ...hello, data: { username: 'a\0b' } }, '/data/username', 'unusable_text'],
    ['{"to":[{"user_id":"\\ud800"}]}', '/to/0/user_id', 'unusable_text'],
    [`{"data":{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`, `/data/a${'/0'.repeat(30)}`, 'too_deep'],
    ['{"data":{"a":[1,-1e999]}}', '/data/a/1', 'unusable_number'],
    [{ ...hello, category: '' }, '/category', 'too_short'],
    [{ ...hello, expires_at: 'tomorrow' }, '/expires_at', 'wrong_format'],
    [{ ...hello, expires_at: '2020-01-01T00:00:00Z' }, '/expires_at', 'in_the_past'],
    [{ ...hello, metadata: { a: {} } }, '/metadata/a', 'wrong_type'],
    [{ ...hello, metadata: { '': 'x' } }, '/metadata/', 'wrong_name'],
    [{ ...hello, to: [{ email: 'a\u0001@b.c' }] }, '/to/0/email', 'wrong_format'],
    [{ ...hello, to: [{ email: `${'x'.repeat(65)}@b.c` }] }, '/to/0/email', 'wrong_format'],
    [
      { ...hello, metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, ''])) },
      '/metadata',
      'too_many',
    ],
  ])('%j says what is wrong at %s', async (body, pointer, code) => {
    const response = await post(body)
    expect(response.statusCode).toBe(422)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/)
    expect(response.json()).toMatchObject({
      type: 'https://carillon.dev/problems/validation-failed',
      title: 'Unprocessable Entity',
      status: 422,
      instance: '/v1/notifications',
      code: 'validation_failed',
      request_id: response.headers['x-request-id'],
    })
    const { errors } = response.json<{ errors: { pointer: string; code: string }[] }>()
    expect(errors.map((error) => [error.pointer, error.code])).toContainEqual([pointer, code])
    expect(api.produced).toEqual([])
  })

  it('names a wrong name once', async () => {
    const response = await post({ ...hello, metadata: { ['x/'.repeat(33)]: 'x', a: 'x' } })
    expect(response.json<{ errors: unknown[] }>().errors).toEqual([
      {
        pointer: `/metadata/${'x~1'.repeat(33)}`,
        code: 'wrong_name',
        detail: 'its name must NOT have more than 64 characters',
      },
    ])
  })

  it('names every wrong field, and the one that was probably meant', async () => {
    const response = await post({ to: [{ phone: 'x' }, { email: 'yyy' }], tempalte: { id: 'welcome' } })
    expect(response.json<{ errors: unknown[] }>().errors).toEqual([
      { pointer: '/tempalte', code: 'unknown_field', detail: 'unknown field; did you mean "template"?' },
      {
        pointer: '/to/0/phone',
        code: 'wrong_format',
        detail: 'does not fit: A phone number in E.164 form: +15550100.',
      },
      { pointer: '/to/1/email', code: 'wrong_format', detail: 'does not fit: An e-mail address.' },
    ])
  })

  it.each([
    ['an empty body', '', {}, 400, 'malformed_json'],
    ['no JSON', '{"to":', {}, 400, 'malformed_json'],
    ['a prototype', '{"to":[],"__proto__":{}}', {}, 400, 'malformed_json'],
    ['another media type', '<to/>', { 'content-type': 'application/xml' }, 415, 'unsupported_media_type'],
    [
      'compressed',
      '{}',
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      415,
      'unsupported_media_type',
    ],
    ['a form', 'to=ada', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a large body', JSON.stringify({ data: 'x'.repeat(256 * 1024) }), {}, 413, 'payload_too_large'],
  ])('is a problem: %s', async (_, body, headers, status, code) => {
    const response = await post(body, headers)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/)
    expect(response.json()).toMatchObject({ status, code })
    expect(response.statusCode).toBe(status)
  })

  it.each(['', 'a b', 'ü', 'x'.repeat(256)])('has a key of the wrong form: %j', async (key) => {
    const response = await post(hello, { 'idempotency-key': key })
    expect(response.statusCode).toBe(422)
    expect(response.json()).toMatchObject({ errors: [{ header: 'idempotency-key' }] })
  })

  it('came before the catalog', async () => {
    const empty = await testApi({
      db: api.db,
      catalog: staticCatalog({ channels: {}, synced: false }),
    })
    const response = await post(hello, {}, empty)
    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('1')
    await empty.app.close()
  })

  it.each([
    ['unavailable', 503, 'broker_unavailable', '5'],
    ['queue_full', 503, 'overloaded', '1'],
    ['record_too_large', 413, 'payload_too_large', undefined],
  ] as const)('is not durable: the broker says %s', async (error, status, code, retryAfter) => {
    const fresh = await testApi({ db: api.db })
    fresh.broker.error = new BrokerError(error, 'no')
    const response = await post(hello, {}, fresh)
    expect(response.statusCode).toBe(status)
    expect(response.json()).toMatchObject({ code })
    expect(response.headers['retry-after']).toBe(retryAfter)
    const { body } = await fresh.app.inject('/metrics')
    await fresh.app.close()
    expect(body).toContain(`carillon_produce_errors_total{code="${error}"} 1`)
    expect(body).not.toContain('carillon_accepted_total{')
  })
})

describe('an Idempotency-Key', () => {
  const reordered = {
    data: { username: 'ada' },
    template: { id: 'welcome' },
    to: [{ email: 'Ada@Example.com' }],
  }
  const other = { ...hello, data: { username: 'bob' } }

  it('answers a repeat as it answered before, and sends nothing again', async () => {
    const key = { 'idempotency-key': 'k-1' }
    const first = await post(hello, key)
    const second = await post(reordered, key)
    expect(second.statusCode).toBe(202)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(first.headers).not.toHaveProperty('idempotent-replayed')
    expect(second.body).toBe(first.body)
    expect(second.headers.location).toBe(first.headers.location)
    expect(api.produced).toHaveLength(1)
  })

  it('refuses another body', async () => {
    const key = { 'idempotency-key': 'k-2' }
    await post(hello, key)
    const response = await post(other, key)
    expect(response.statusCode).toBe(422)
    expect(response.json()).toMatchObject({ code: 'idempotency_conflict' })
    expect(api.produced).toHaveLength(1)
  })

  it('lets one of several at once through', async () => {
    const gate = Promise.withResolvers<void>()
    api.broker.before = () => gate.promise
    const key = { 'idempotency-key': 'k-3' }
    const responses = Promise.all([post(hello, key), post(hello, key), post(other, key)])
    gate.resolve()
    const codes = (await responses).map(({ statusCode }) => statusCode)
    expect(codes.toSorted((left, right) => left - right)).toEqual([202, 202, 422])
    expect(api.produced).toHaveLength(1)
  })

  it('is free again when the first one was not accepted', async () => {
    const key = { 'idempotency-key': 'k-4' }
    api.broker.error = new BrokerError('unavailable', 'no')
    expect((await post(hello, key)).statusCode).toBe(503)
    expect((await post({ ...hello, data: {} }, key)).statusCode).toBe(422)
    api.broker.error = undefined
    expect((await post(other, key)).statusCode).toBe(202)
  })

  it('is known to another replica once the planner has recorded it', async () => {
    const key = { 'idempotency-key': 'k-5' }
    const first = await post(hello, key)
    const id = notificationIdFromKey('default', 'k-5')
    await recordAsPlanner(id)
    const replica = await testApi({ db: api.db })
    const repeat = await post(reordered, key, replica)
    expect(repeat.headers['idempotent-replayed']).toBe('true')
    expect(repeat.json()).toEqual(first.json())
    expect((await post(other, key, replica)).json()).toMatchObject({ code: 'idempotency_conflict' })
    expect(replica.produced).toEqual([])
    await replica.app.close()
  })

  it('needs no database: without one the planner tells repeats', async () => {
    const gone = openStore({
      url: 'postgresql://postgres@127.0.0.1:1/none',
      logger: createLogger({ level: 'ERROR', destination: { write() {} } }),
    })
    const alone = await testApi({ db: gone.db })
    const response = await post(hello, { 'idempotency-key': 'k-6' }, alone)
    expect(response.statusCode).toBe(202)
    expect(alone.requests()[0]!.id).toBe(notificationIdFromKey('default', 'k-6'))
    await alone.app.close()
    await gone.close()
  })

  async function recordAsPlanner(id: string) {
    const request = api.requests().find((candidate) => candidate.id === id)!
    await api.db
      .insertInto('notifications')
      .values({
        id,
        tenant: request.tenant,
        body_hash: Buffer.from(request.body_hash, 'hex'),
        template: request.template!.name,
        template_revision: request.template!.revision,
        metadata: '{}',
        accepted_at: request.accepted_at,
      })
      .execute()
    await sql`
      INSERT INTO deliveries (id, notification_id, tenant, channel, channel_type, recipient, status, created_at, updated_at)
      VALUES (gen_random_uuid(), ${id}, 'default', 'email', 'email', 'email:x', 'queued', now(), now())`.execute(
      api.db,
    )
  }
})
