import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './process/free-ports.ts'
import { Program } from './process/program.ts'

export interface TestRedis {
  /** `redis://127.0.0.1:…` */
  url: string
  /** Ends it as a crash does: what it held is gone, if it is a process of the test. */
  kill(): Promise<void>
  /** Starts it again on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts a Redis on a free port of loopback that keeps nothing on disk. `path` is that of the part `redis`: where it is the address of a server,
 * that one is reached through a port that can be shut, and keeps what it holds.
 */
export async function startRedis(path: string): Promise<TestRedis> {
  return path.includes('://') ? reachRedis(new URL(path)) : startProgram(path)
}

async function startProgram(program: string): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-redis-'))
  const [port] = (await freePorts(1)) as [number]
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', daemonize: 'no' }
  const server = new Program({
    program,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    log: join(folder, 'log'),
    isReady: () => answers(port),
  })
  const stop = async () => {
    await server.kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await server.start()
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `redis://127.0.0.1:${port}`, kill: () => server.kill(), restart: () => server.start(), stop }
}

async function reachRedis(address: URL): Promise<TestRedis> {
  const sockets = new Set<Socket>()
  const listen = async (port: number) => {
    const door = createServer((client) => {
      const server = connect(Number(address.port || 6379), address.hostname)
      for (const [one, other] of [[client, server] as const, [server, client] as const]) {
        sockets.add(one)
        one.on('error', () => other.destroy()).on('close', () => (sockets.delete(one), other.destroy()))
        one.pipe(other)
      }
    }).listen(port, '127.0.0.1')
    await once(door, 'listening')
    return door
  }
  let door = await listen(0)
  const { port } = door.address() as AddressInfo
  const shut = async () => {
    if (!door.listening) return
    door.close()
    for (const socket of sockets) socket.destroy()
    await once(door, 'close')
  }
  const url = new URL(address)
  url.host = `127.0.0.1:${port}`
  return { url: url.href, kill: shut, restart: async () => void (door = await listen(port)), stop: shut }
}

/** Whether a server answers PING on the port. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('data', (data) => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
