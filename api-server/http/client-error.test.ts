import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { beforeAll, expect, test } from 'vitest'
import { useTestApi } from '../../test/harness/api.ts'

const api = useTestApi()
let port: number

beforeAll(async () => {
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  port = (api.app.server.address() as AddressInfo).port
})

test('a client that breaks off in the middle of a body is no fault of ours', async () => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const head =
    'POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99'
  socket.write(`${head}\r\n\r\n{"type":`, () => socket.resetAndDestroy())
  await expect.poll(api.log, { timeout: 30_000 }).toContain('Request broken off')
  expect(api.log()).not.toContain('"ERROR"')
})

async function send(
  request: string,
  isEnd = false,
): Promise<{ head: string; body: Record<string, unknown> }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  if (isEnd) socket.end(request)
  else socket.write(request)
  const [head, body] = (await text(socket)).split('\r\n\r\n') as [string, string]
  expect(head).toMatch(/^Content-Type: application\/problem\+json/m)
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`)
  return { head, body: JSON.parse(body) as Record<string, unknown> }
}

test.each([
  ['a method that nobody knows', 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'malformed_request'],
  ['noise', '\u0000\u0001\u0002\r\n\r\n', 400, 'malformed_request'],
  ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`, 431, 'headers_too_large'],
])(
  '%s is answered with problem details, and with the end of the connection',
  async (_, request, status, code) => {
    const { head, body } = await send(request)
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(body).toMatchObject({ status, code, type: expect.stringContaining('/problems/') as string })
  },
)

test.each([
  ['Content-Length: 60', '{"to":[{"phone":"+15550100"}]'],
  ['Transfer-Encoding: chunked', '1d\r\n{"to":[{"phone":"+15550100"}]\r\n'],
])(
  'a body that ends before it is whole (%s) is no JSON of its client that is wrong',
  async (length, body) => {
    const head = `POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`
    expect((await send(head + body, true)).body).toMatchObject({ status: 400, code: 'malformed_request' })
    expect(api.produced).toEqual([])
  },
)
