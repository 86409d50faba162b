import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { KubeConfig } from '@kubernetes/client-node'
import { expect, it, onTestFinished } from 'vitest'
import { certificate } from '../../../test/conformance/loopback.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { Connection } from './connection.ts'

/** An API server that keeps connections open for as long as it can, and credentials that are others at every look. */
async function setUp() {
  const sockets = new Set<Socket>()
  // An idle connection must not go by itself: it would hide that nobody closes it.
  const server = createServer({ keepAliveTimeout: 600_000 }, ({ url }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    if (url === '/watch') response.write('{')
    else response.end('{}')
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const looks = { count: 0, fail: false }
  const config = {
    getCurrentCluster: () => ({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
    async applyToHTTPSOptions(options: { cert: string }) {
      looks.count++
      // As long as reading a file takes: others ask meanwhile.
      await new Promise((resolve) => setImmediate(resolve))
      if (looks.fail) throw new Error('the file is being replaced')
      options.cert = `certificate ${looks.count}`
    },
  }
  const clock = manualClock()
  const connection = new Connection(config as unknown as KubeConfig, clock)
  onTestFinished(() => connection.close())
  const ask = (count: number) =>
    Promise.all(Array.from({ length: count }, () => connection.ask({ method: 'GET', path: '/' })))
  return { connection, clock, looks, sockets, ask }
}
const allClosed = (sockets: ReadonlySet<Socket>) =>
  expect.poll(() => sockets.size, { timeout: 30_000 }).toBe(0)

it('reads credentials once for all who ask meanwhile, and leaves no connection behind', async () => {
  const { connection, clock, looks, sockets, ask } = await setUp()
  await ask(8)
  expect(looks.count).toBe(1)
  for (const rotation of [2, 3]) {
    clock.advance(60_000)
    await ask(8)
    expect(looks.count).toBe(rotation)
  }
  expect(sockets.size).toBeGreaterThan(0)
  await connection.close()
  await allClosed(sockets)
})

it('lets go of the connections that it had when credentials cannot be read for a while', async () => {
  const { connection, clock, looks, sockets, ask } = await setUp()
  await ask(4)
  clock.advance(60_000)
  looks.fail = true
  await expect(ask(4)).rejects.toThrow('the file is being replaced')
  looks.fail = false
  await ask(4)
  await connection.close()
  await allClosed(sockets)
})

it('ends what is under way with older credentials when it is closed', async () => {
  const { connection, clock, sockets, ask } = await setUp()
  const { body } = await connection.open({ method: 'GET', path: '/watch' })
  clock.advance(60_000)
  await ask(1)
  const text = body.text()
  const [closed, read] = await Promise.allSettled([connection.close(), text])
  expect([closed.status, read.status]).toEqual(['fulfilled', 'rejected'])
  await allClosed(sockets)
})

it('speaks HTTP/1.1 with a server that would rather speak HTTP/2', async () => {
  const server = createSecureServer({ ...certificate, allowHTTP1: true }, ({ httpVersion }, response) => {
    response.end(JSON.stringify({ httpVersion }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const config = {
    getCurrentCluster: () => ({ server: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }),
    applyToHTTPSOptions: async (options: { ca: string }) => void (options.ca = certificate.cert),
  }
  const connection = new Connection(config as unknown as KubeConfig, manualClock())
  onTestFinished(async () => {
    await connection.close()
    server.close()
  })
  expect(await connection.ask({ method: 'GET', path: '/' })).toEqual({ httpVersion: '1.1' })
})
