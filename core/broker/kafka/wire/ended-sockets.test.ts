import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { Connection, createLogger, createSocketFactory, LEVELS } from '../kafkajs.ts'
import { releaseEndedSockets } from './ended-sockets.ts'

/** A port of this machine that nobody listens at. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

it('gathers no listeners on the socket of a broker that is away, however often it is given up', async () => {
  releaseEndedSockets()
  const sockets: ReturnType<ReturnType<typeof createSocketFactory>>[] = []
  const createSocket = createSocketFactory()
  const connection = new Connection({
    host: '127.0.0.1',
    port: await closedPort(),
    clientId: 'test',
    connectionTimeout: 30_000,
    logger: createLogger({ level: LEVELS.NOTHING, logCreator: () => () => {} }),
    socketFactory: (options: object) => {
      const socket = createSocket(options)
      sockets.push(socket)
      return socket
    },
  })
  await expect(connection.connect()).rejects.toThrow('ECONNREFUSED')
  const [socket] = sockets
  const before = socket!.listenerCount('connect')
  for (let turn = 0; turn < 20; turn++) await connection.disconnect()
  expect(socket!.listenerCount('connect')).toBe(before)
  await expect(connection.connect()).rejects.toThrow('ECONNREFUSED')
  expect(sockets).toHaveLength(2)
})
