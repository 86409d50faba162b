import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Outcome } from '../../../core/providers/provider.ts'
import { webhook } from '../../../core/providers/webhook.ts'
import {
  certificate,
  impossibleName,
  type Loopback,
  listen,
  refusedPort,
  trustCertificate,
} from '../loopback.ts'
import {
  type Arranged,
  type Arrival,
  type Counterpart,
  type Fault,
  nextContext,
  open,
  type ProviderFixture,
  send,
} from '../provider.ts'

const settings = { allowedNetworks: ['127.0.0.0/8', '::1/128'] }
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const olderSecret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
const secrets = { secret }
const toWebhook = (to: string, text: string) => ({ type: 'webhook', to, body: { text } }) as const

function serveHttp(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
  return createServer((request, response) => void handle(request, response))
}

/** Takes what carries a signature of `secret`, as a receiver does that uses the official library. */
async function start(): Promise<Counterpart> {
  const arrivals: Arrival[] = []
  const server = serveHttp(async (request, response) => {
    const body = await readText(request)
    const headers = request.headers as Record<string, string>
    const { text } = new Webhook(secret).verify(body, headers) as { text: string }
    arrivals.push({ deliveryId: headers['webhook-id']!, texts: { text } })
    response.writeHead(204).end()
  })
  const loopback = await listen(server)
  return { settings, secrets, to: `http://127.0.0.1:${loopback.port}/hook?a=b%20c`, arrivals, ...loopback }
}

const close = async () => {}

async function arrangeTcp(onConnection: (socket: Socket) => void, scheme = 'http'): Promise<Arranged> {
  const loopback = await listen(createTcpServer(onConnection))
  return { to: `${scheme}://127.0.0.1:${loopback.port}/`, settings, close: loopback.close }
}

/** A server that reads each request whole and leaves the answer to `respond`. */
async function arrangeHttp(respond: (socket: Socket, request: IncomingMessage) => void): Promise<Arranged> {
  const server = serveHttp(async (request) => {
    await readText(request)
    respond(request.socket, request)
  })
  const loopback = await listen(server)
  return { ...loopback, to: `http://127.0.0.1:${loopback.port}/`, settings }
}

const answer = (bytes: string) => () => arrangeHttp((socket) => socket.end(bytes))

const faults: Fault[] = [
  {
    name: 'connection refused',
    arrange: async () => ({ to: `http://127.0.0.1:${await refusedPort()}/`, settings, close }),
    expected: { class: 'not_sent', code: 'ECONNREFUSED' },
  },
  {
    name: 'a name that does not exist',
    arrange: async () => ({ to: `https://${impossibleName}/`, settings, close }),
    expected: { class: 'not_sent' },
  },
  {
    name: 'a certificate for another name',
    arrange: async () => {
      trustCertificate()
      const loopback = await listen(createHttpsServer(certificate))
      return { to: `https://localhost:${loopback.port}/`, settings, close: loopback.close }
    },
    expected: { class: 'not_sent', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  },
  {
    name: 'no TLS where https was called',
    arrange: () => arrangeTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'https'),
    expected: { class: 'not_sent' },
  },
  {
    name: 'silence in the TLS handshake',
    arrange: async () => {
      const { promise: stalled, resolve } = Promise.withResolvers<void>()
      return { ...(await arrangeTcp(() => resolve(), 'https')), stalled }
    },
    expected: { class: 'not_sent', code: 'aborted' },
  },
  {
    name: 'silence after the request',
    arrange: async () => {
      const { promise: stalled, resolve } = Promise.withResolvers<void>()
      return { ...(await arrangeHttp(() => resolve())), stalled }
    },
    expected: { class: 'maybe_sent', code: 'aborted' },
  },
  {
    name: 'reset after the request',
    arrange: () => arrangeHttp((socket) => socket.resetAndDestroy()),
    expected: { class: 'maybe_sent' },
  },
  {
    name: 'connection ended after the request',
    arrange: () => arrangeHttp((socket) => socket.end()),
    expected: { class: 'maybe_sent' },
  },
  {
    name: 'an answer that is no HTTP',
    arrange: answer('220 smtp.example ESMTP\r\n'),
    expected: { class: 'maybe_sent' },
  },
  {
    name: 'an answer cut off in its head',
    arrange: answer('HTTP/1.1 200 OK\r\nContent-Le'),
    expected: { class: 'maybe_sent' },
  },
  {
    name: 'an answer cut off in its body: the status stands',
    arrange: answer('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'),
    expected: { class: 'sent' },
  },
  {
    name: 'loopback that is not allowed',
    arrange: async () => {
      const counterpart = await start()
      return { ...counterpart, settings: {} }
    },
    expected: { class: 'rejected', code: 'ssrf_blocked' },
  },
  ...['not a url', 'ftp://example.com/', 'https://user:hunter22@example.com/'].map((to) => ({
    name: `the address ${to}`,
    arrange: async () => ({ to, settings, close }),
    expected: { class: 'rejected', code: 'invalid_url' } as const,
  })),
  ...['', 'whsec_', 'hunter22hunter22', `${secret} whsec_c2hvcnQ=`, `whsec_${'A'.repeat(100)}`].map(
    (malformed) => ({
      name: `the secret ${JSON.stringify(malformed)}`,
      arrange: async () => ({ ...(await start()), secrets: { secret: malformed } }),
      expected: { class: 'auth', code: 'bad_secret' } as const,
    }),
  ),
]

const listed: Record<number, Outcome['class']> = {
  401: 'auth',
  403: 'auth',
  408: 'not_sent',
  421: 'not_sent',
  425: 'not_sent',
  429: 'rate_limited',
  503: 'not_sent',
}

function expectedClass(status: number): Outcome['class'] {
  if (status < 200) return 'maybe_sent'
  if (status < 300) return 'sent'
  return listed[status] ?? (status < 500 ? 'rejected' : 'maybe_sent')
}

export const fixture: ProviderFixture = {
  example: { allowedNetworks: ['10.20.0.0/16', 'fd00::/8'] },
  slots: { text: toWebhook },
  start,
  faults,
  specifics() {
    beforeAll(trustCertificate)

    /** Answers with the status that the path names; below 200 it then goes silent for good, as nothing final follows. */
    async function startStatusServer(): Promise<Loopback & { requests: number[] }> {
      const requests: number[] = []
      const server = serveHttp(async (request, response) => {
        const status = Number(request.url!.slice(1))
        requests.push(status)
        await readText(request)
        if (status < 200) request.socket.end(`HTTP/1.1 ${status} X\r\n\r\n`)
        else response.writeHead(status, { location: '/200', 'retry-after': '3' }).end()
      })
      const loopback = await listen(server)
      onTestFinished(loopback.close)
      return { ...loopback, requests }
    }

    test('every status from 100 to 599 has its class, and none is followed or repeated', async () => {
      const { port, requests } = await startStatusServer()
      const provider = open(webhook, { settings, secrets })
      const statuses = Array.from({ length: 500 }, (_, i) => i + 100)
      const seen: Record<number, string> = {}
      for (const status of statuses) {
        seen[status] = (await send(provider, toWebhook(`http://127.0.0.1:${port}/${status}`, 'x'))).class
      }
      expect(seen).toEqual(Object.fromEntries(statuses.map((status) => [status, expectedClass(status)])))
      expect(requests).toEqual(statuses)
    })

    test.each([429, 503])('Retry-After of a %i is honoured', async (status) => {
      const { port } = await startStatusServer()
      const provider = open(webhook, { settings, secrets })
      const outcome = await send(provider, toWebhook(`http://127.0.0.1:${port}/${status}`, 'x'))
      expect(outcome).toMatchObject({ code: String(status), retryAfter: 3000 })
    })

    test('an answer without end is dropped', async () => {
      let written = 0
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      const { to, close } = await arrangeHttp((socket) => {
        socket.on('close', resolve)
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
        const pour = () => {
          while (!socket.destroyed && socket.write(chunk)) written += 0x4000
        }
        socket.on('drain', pour)
        pour()
      })
      onTestFinished(close)
      expect(await send(open(webhook, { settings, secrets }), toWebhook(to, 'x'))).toEqual({ class: 'sent' })
      await ended
      expect(written).toBeLessThan(64 * 2 ** 20)
    })

    test('the request is signed afresh for each attempt, under one id', async () => {
      const received: { headers: Record<string, string>; body: string; method: string; url: string }[] = []
      const loopback = await listen(
        serveHttp(async (request, response) => {
          const { method, url } = request
          const headers = request.headers as Record<string, string>
          received.push({ method: method!, url: url!, headers, body: await readText(request) })
          response.end()
        }),
      )
      onTestFinished(loopback.close)
      let now = Date.now()
      const held = { secret: `${olderSecret} ${secret}` }
      const provider = open(webhook, { settings, secrets: held }, { now: () => now })
      const context = nextContext()
      const to = `http://127.0.0.1:${loopback.port}/hook?a=b#part`
      await send(provider, toWebhook(to, 'hello'), context)
      now += 5000
      held.secret = secret
      await send(provider, toWebhook(to, 'hello'), { ...context, attempt: 2 })

      const [first, second] = received
      expect(first).toMatchObject({ method: 'POST', url: '/hook?a=b', body: '{"text":"hello"}' })
      expect(first!.headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': context.deliveryId,
      })
      expect(first!.headers['user-agent']).toMatch(/^Carillon\/\d+\.\d+\.\d+/)
      expect(second!.headers['webhook-id']).toBe(context.deliveryId)
      expect(Number(second!.headers['webhook-timestamp']) - Number(first!.headers['webhook-timestamp'])).toBe(
        5,
      )
      const verify = (key: string, request: typeof first) =>
        new Webhook(key).verify(request!.body, request!.headers)
      for (const key of [secret, olderSecret]) expect(verify(key, first)).toEqual({ text: 'hello' })
      expect(verify(secret, second)).toEqual({ text: 'hello' })
      expect(() => verify(olderSecret, second)).toThrow()
    })

    test('https is spoken where the certificate fits the name', async () => {
      const loopback = await listen(createHttpsServer(certificate, (_request, response) => response.end()))
      onTestFinished(loopback.close)
      const outcome = await send(
        open(webhook, { settings, secrets }),
        toWebhook(`https://127.0.0.1:${loopback.port}/`, 'x'),
      )
      expect(outcome).toEqual({ class: 'sent' })
    })

    test('a connection that comes after the abort carries no request', async () => {
      const { promise: ended, resolve: end } = Promise.withResolvers<string>()
      const behind = await listen(createHttpsServer(certificate, () => end('with a request')))
      onTestFinished(behind.close)
      // TCP connects at once, TLS only when the gate is opened.
      const { promise: held, resolve: hold } = Promise.withResolvers<Socket>()
      const gate = await listen(createTcpServer(hold))
      onTestFinished(gate.close)

      const controller = new AbortController()
      const provider = open(webhook, { settings, secrets })
      const to = `https://127.0.0.1:${gate.port}/`
      const sending = send(provider, toWebhook(to, 'x'), nextContext(), controller.signal)
      const socket = await held
      socket.on('close', () => end('without a request'))
      controller.abort()
      expect(await sending).toMatchObject({ class: 'not_sent' })
      const forward = connect(behind.port, '127.0.0.1').on('error', () => {})
      socket.pipe(forward).pipe(socket)
      expect(await ended).toBe('without a request')
    })

    test('close ends a connection that is still being made', async () => {
      const server = createTcpServer()
      const loopback = await listen(server)
      onTestFinished(loopback.close)
      const provider = open(webhook, { settings, secrets })
      const connected = once(server, 'connection')
      const sending = send(provider, toWebhook(`https://127.0.0.1:${loopback.port}/`, 'x'))
      await connected
      await provider.close()
      expect(await sending).toMatchObject({ class: 'not_sent' })
      await expect.poll(() => loopback.connections().open, { interval: 5 }).toBe(0)
    })

    test('a body without a JSON form is poison', async () => {
      const circular: unknown[] = []
      circular.push(circular)
      const provider = open(webhook, { settings, secrets })
      for (const body of [undefined, circular, 1n]) {
        const outcome = await send(provider, { type: 'webhook', to: 'http://127.0.0.1:1/', body })
        expect(outcome).toMatchObject({ class: 'poison', code: 'not_json' })
      }
    })
  },
}
