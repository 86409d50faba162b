import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { testApi, testCatalog, useTestApi } from '../test/harness/api.ts'

const api = useTestApi()

const bodies = [
  ['POST', '/v1/notifications'],
  ['PUT', '/v1/users/u1'],
  ['POST', '/send-notification'],
  ['POST', '/notify'],
  ['POST', '/api/v1/notifications'],
] as const

describe('whatever the body, there is an answer that is no fault of ours', () => {
  /** Known words in wrong places get further than noise does. */
  const word = fc.constantFrom(
    ...'to channels template id locale content subject text data username user_id email phone type'.split(
      ' ',
    ),
    ...'message recipient template_id metadata expires_at attributes device_tokens category'.split(' '),
  )
  const leaf = fc.oneof(
    fc.constantFrom(
      'welcome',
      'email',
      'push',
      'in_app',
      'sms',
      'a@b.c',
      '+15550100',
      'https://e.x/',
      '\0',
      '\ud800',
    ),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  )
  const { value: json } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(word, fc.string()), tie('value'), { maxKeys: 6 }),
    ),
  }))
  /** Valid but for some of its fields. */
  const nearlyValid = fc
    .record({
      base: fc.constantFrom<object>(
        { to: [{ user_id: 'u' }], template: { id: 'welcome' }, data: { username: 'a' } },
        { to: [{ email: 'a@b.c' }], content: { subject: 'Hi', text: 'Hi' } },
        { type: 'email', message: 'Hi', email: 'a@b.c', recipient: 'a@b.c' },
        { user_id: 'u', template_id: 'welcome', data: { username: 'a' } },
        { email: 'a@b.c', attributes: {} },
      ),
      change: fc.dictionary(word, json, { maxKeys: 2 }),
    })
    .map(({ base, change }) => ({ ...base, ...change }))

  it.each(bodies)('%s %s', async (method, url) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(json, nearlyValid), async (body) => {
        const response = await api.app.inject({
          method,
          url,
          headers: { 'content-type': 'application/json' },
          payload: JSON.stringify(body),
        })
        expect([200, 201, 202, 400, 413, 422]).toContain(response.statusCode)
        if (response.statusCode >= 400) expect(response.headers['content-type']).toContain('problem+json')
      }),
      { numRuns: 300 },
    )
    if (method === 'POST') expect(api.produced.length).toBeGreaterThan(0)
  })
})

describe('the log', () => {
  it('holds no address, payload, secret, id in a URL, or query', async () => {
    const quiet = await testApi({ db: api.db })
    const secret = 'MARKED'
    const headers = { authorization: `Bearer ${secret}`, cookie: secret, 'idempotency-key': secret }
    const requests = bodies.map(([method, url]) => ({
      method,
      url: `${url}?token=${secret}`,
      headers,
      payload: {
        to: [{ email: `${secret}@example.com` }, { phone: secret }],
        template: { id: 'welcome' },
        data: { username: secret, [secret]: secret },
        type: 'email',
        message: secret,
        recipient: `${secret}@example.com`,
        email: `${secret}@example.com`,
        user_id: secret,
        template_id: 'welcome',
        [secret]: secret,
      },
    }))
    for (const request of requests) await quiet.app.inject(request)
    for (const url of [
      `/v1/users/${secret}`,
      `/v1/notifications/${secret}`,
      `/${secret}`,
      `/notifications/${secret}`,
    ])
      await quiet.app.inject({ url, headers: { host: `localhost`, referer: secret, 'user-agent': secret } })
    await quiet.app.inject({ method: 'POST', url: '/notify', headers, payload: `{"${secret}"` })
    await quiet.app.inject({ url: `/%${secret}`, headers })
    const log = quiet.log()
    await quiet.app.close()
    expect(log).not.toContain(secret)
    const entry = log
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find(({ route }) => route === '/v1/users/{id}')
    expect(entry).toMatchObject({
      level: 'INFO',
      service: 'carillon',
      component: 'api',
      method: 'PUT',
      status: 422,
      seconds: expect.any(Number) as number,
      request_id: expect.stringMatching(/^req_[\w-]{16}$/) as string,
    })
  })

  it('holds our own faults, which the caller does not see', async () => {
    const broken = await testApi({
      db: api.db,
      catalog: {
        ...testCatalog,
        template: () => {
          throw new TypeError('the cause')
        },
      },
    })
    const response = await broken.app.inject({
      method: 'POST',
      url: '/v1/notifications',
      payload: { to: [{ user_id: 'u' }], template: { id: 'welcome' } },
    })
    expect(response.statusCode).toBe(500)
    expect(response.body).not.toContain('the cause')
    expect(response.json()).toMatchObject({ code: 'internal_error' })
    expect(broken.log()).toContain('the cause')
    expect(broken.log()).toContain(response.json<{ request_id: string }>().request_id)
    await broken.app.close()
  })
})

describe('the edges', () => {
  it.each([
    ['GET', '/v1/notifications', 'POST'],
    ['DELETE', '/v1/users/u1', 'GET, HEAD, PUT'],
    ['POST', '/v1/users/u1/inbox', 'GET, HEAD'],
    ['OPTIONS', '/notify', 'POST'],
  ] as const)('%s %s is not allowed', async (method, url, allow) => {
    const response = await api.app.inject({ method, url })
    expect(response.statusCode).toBe(405)
    expect(response.headers.allow?.split(', ').toSorted().join(', ')).toBe(allow)
    expect(response.json()).toMatchObject({ code: 'method_not_allowed' })
  })

  it.each([
    ['an unknown path', '/v2/notifications', 404, 'not_found'],
    ['a broken escape', '/v1/users/%zz', 400, 'malformed_url'],
    ['an endless id', `/v1/users/${'x'.repeat(2_000)}`, 414, 'url_too_long'],
  ])('%s is a problem', async (_, url, status, code) => {
    const response = await api.app.inject(url)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toContain('application/problem+json')
    expect(response.json()).toMatchObject({ status, code })
  })

  it('text in another encoding is refused, and not sent with other letters', async () => {
    const body = JSON.stringify({ to: [{ email: 'a@b.c' }], content: { subject: 'Grüße', text: 'Hi' } })
    const post = (encoding: 'utf8' | 'latin1') =>
      api.app.inject({
        method: 'POST',
        url: '/v1/notifications',
        headers: { 'content-type': 'application/json' },
        payload: Buffer.from(body, encoding),
      })
    expect((await post('utf8')).statusCode).toBe(202)
    const refused = await post('latin1')
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({ code: 'malformed_json' })
  })

  it.each([
    ['localhost', 200],
    ['localhost:8080', 200],
    ['LocalHost:8080', 200],
    ['carillon.localhost', 200],
    ['127.0.0.1:8080', 200],
    ['127.1.2.3', 200],
    ['[::1]:8080', 200],
    ['example.com', 421],
    ['127.0.0.1.example.com', 421],
    ['localhost.example.com:8080', 421],
    ['10.0.0.1', 421],
    ['[::2]', 421],
  ])('a request for the host %s is answered with %i', async (host, status) => {
    const response = await api.app.inject({ url: '/health', headers: { host } })
    expect(response.statusCode).toBe(status)
  })

  it('every answer says what a browser must not do with it, and nothing of the server', async () => {
    for (const url of ['/health', '/nowhere', '/v1/users/nobody', '/']) {
      const { headers } = await api.app.inject(url)
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
      expect(headers['x-request-id']).toMatch(/^req_/)
      expect(headers).not.toHaveProperty('server')
      expect(headers).not.toHaveProperty('access-control-allow-origin')
    }
  })
})

describe('readiness', () => {
  it('needs the catalog, and a process that is neither starting nor draining', async () => {
    let synced = false
    let running = true
    const starting = await testApi({
      db: api.db,
      catalog: { ...testCatalog, synced: () => synced },
      isReady: () => running,
    })
    const ready = async () => {
      const response = await starting.app.inject('/readyz')
      return { code: response.statusCode, ...response.json<object>() }
    }
    expect(await ready()).toEqual({
      code: 503,
      status: 'not_ready',
      checks: { catalog: false, process: true },
    })
    synced = true
    expect(await ready()).toEqual({ code: 200, status: 'ready', checks: { catalog: true, process: true } })
    running = false
    expect(await ready()).toEqual({
      code: 503,
      status: 'not_ready',
      checks: { catalog: true, process: false },
    })
    expect((await starting.app.inject('/livez')).statusCode).toBe(200)
    await starting.app.close()
  })
})

describe('metrics', () => {
  it('name routes by their pattern, and unknown ones not at all', async () => {
    const fresh = await testApi({ db: api.db })
    fresh.broker.lags.push({
      group: 'test.planner',
      topic: 'test.requests',
      partition: 0,
      beginning: 0,
      end: 3,
      committed: 1,
      lag: 2,
    })
    await fresh.app.inject('/v1/users/somebody')
    await fresh.app.inject('/unknown/path')
    const response = await fresh.app.inject('/metrics')
    expect(response.headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(response.body).toContain(
      'carillon_http_requests_total{route="/v1/users/{id}",method="GET",code="404"} 1',
    )
    expect(response.body).toContain(
      'carillon_http_requests_total{route="unmatched",method="GET",code="404"} 1',
    )
    expect(response.body).toContain(
      'carillon_kafka_consumer_lag{group="test.planner",topic="test.requests",partition="0"} 2',
    )
    expect(response.body).not.toContain('somebody')
    await fresh.app.close()
  })
})

it('lets the requests in flight finish when it is closed', async () => {
  const closing = await testApi({ db: api.db })
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  closing.broker.before = () => {
    reached.resolve()
    return gate.promise
  }
  const url = await closing.app.listen({ host: '127.0.0.1', port: 0 })
  const response = fetch(`${url}/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: [{ user_id: 'u' }], template: { id: 'welcome' }, data: { username: 'a' } }),
  })
  await reached.promise
  const closed = closing.app.close()
  gate.resolve()
  expect((await response).status).toBe(202)
  await closed
  expect(closing.produced).toHaveLength(1)
})
