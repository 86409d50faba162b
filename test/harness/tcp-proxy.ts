import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between clients and one server on loopback, and does to their connections what a network can. */
export interface TcpProxy {
  port: number
  /** Connections go to this port from now on. */
  retarget(port: number): void
  /** Milliseconds that everything is on its way from now on, in each direction. */
  delay(milliseconds: number): void
  /** Ends every connection with RST; answers how many there were. */
  reset(): number
  /**
   * Makes every connection half-open: nothing comes through any more, not even its end, and neither side is told. New connections work. Answers
   * how many there were.
   */
  silence(): number
  close(): Promise<void>
}

/** One connection through the proxy. */
export interface Link {
  toServer(chunk: Buffer): void
  toClient(chunk: Buffer): void
  /** Closes both ends. */
  end(): void
}

/** What happens to what comes from either side; by default it is passed on. */
export interface Passage {
  fromClient(chunk: Buffer): void
  fromServer(chunk: Buffer): void
}

export async function startTcpProxy(
  target: { port: number },
  open: (link: Link) => Passage = ({ toServer, toClient }) => ({
    fromClient: toServer,
    fromServer: toClient,
  }),
): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let { port } = target
  let latency = 0

  const server = createServer((client) => {
    const pair = new Pair(client, connect(port, '127.0.0.1'), () => latency)
    pairs.add(pair)
    pair.pass(open(pair), () => pairs.delete(pair))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const each = (strike: (pair: Pair) => void) => {
    const struck = [...pairs].filter(({ silent }) => !silent)
    for (const pair of struck) strike(pair)
    return struck.length
  }
  return {
    port: (server.address() as AddressInfo).port,
    retarget: (next) => (port = next),
    delay: (milliseconds) => (latency = milliseconds),
    reset: () => each((pair) => pair.reset()),
    silence: () => each((pair) => (pair.silent = true)),
    async close() {
      server.close()
      for (const pair of pairs) pair.end()
      await once(server, 'close')
    },
  }
}

class Pair implements Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #latency: () => number
  readonly #underWay = new Map<Socket, Buffer[]>()
  silent = false

  constructor(client: Socket, server: Socket, latency: () => number) {
    this.#client = client
    this.#server = server
    this.#latency = latency
  }

  pass({ fromClient, fromServer }: Passage, closed: () => void): void {
    for (const [socket, take] of [
      [this.#client, fromClient],
      [this.#server, fromServer],
    ] as const) {
      socket.setNoDelay()
      socket.on('data', (chunk: Buffer) => {
        if (!this.silent) take(chunk)
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (this.#client.closed && this.#server.closed) closed()
        else if (!this.silent) this.end()
      })
    }
  }

  toServer = (chunk: Buffer): void => this.#send(this.#server, chunk)
  toClient = (chunk: Buffer): void => this.#send(this.#client, chunk)

  end = (): void => {
    this.#client.destroy()
    this.#server.destroy()
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  /** Timers of one length fire in order, and each takes the oldest piece: a change of the delay reorders nothing. */
  #send(socket: Socket, chunk: Buffer): void {
    const waiting = this.#underWay.get(socket) ?? []
    this.#underWay.set(socket, waiting)
    const latency = this.#latency()
    if (latency === 0 && waiting.length === 0) {
      socket.write(chunk)
      return
    }
    waiting.push(chunk)
    setTimeout(() => {
      const oldest = waiting.shift()
      if (oldest !== undefined && !this.silent) socket.write(oldest)
    }, latency)
  }
}
