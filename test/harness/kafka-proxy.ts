import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const PRODUCE = 0

/**
 * Stands before a broker and understands just enough of Kafka's protocol to do to the next Produce request what a network can: lose its
 * answer, or keep it on the way for as long as one likes.
 */
export interface KafkaProxy {
  port: number
  /** The broker gets the next Produce and does it; instead of its answer the client sees the connection end. */
  loseNextAnswer(): Loss
  /** Keeps the next Produce from the broker. Resolves once it is here. */
  holdNextProduce(): Promise<HeldProduce>
  close(): Promise<void>
}

export interface Loss {
  /** The request went to the broker. */
  passed: Promise<void>
  /** The answer came back, and was lost. */
  lost: Promise<void>
}

export interface HeldProduce {
  /** Ends the connection: the broker never gets it. */
  drop(): void
}

export async function startKafkaProxy(target: { port: number }): Promise<KafkaProxy> {
  const sockets = new Set<Socket>()
  let loss: { passed: PromiseWithResolvers<void>; lost: PromiseWithResolvers<void> } | undefined
  let hold: PromiseWithResolvers<HeldProduce> | undefined

  const server = createServer((client) => {
    const broker = connect(target.port, '127.0.0.1')
    const end = () => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.setNoDelay()
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    let lost: { correlationId: number; done: () => void } | undefined
    onFrames(client, (frame) => {
      const produces = frame.readInt16BE(4) === PRODUCE
      if (produces && hold) {
        hold.resolve({ drop: end })
        hold = undefined
        return
      }
      if (produces && loss) {
        const { passed, lost: gone } = loss
        lost = { correlationId: frame.readInt32BE(8), done: () => gone.resolve() }
        loss = undefined
        passed.resolve()
      }
      broker.write(frame)
    })
    onFrames(broker, (frame) => {
      if (lost?.correlationId === frame.readInt32BE(4)) {
        lost.done()
        end()
      } else client.write(frame)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer() {
      loss = { passed: Promise.withResolvers(), lost: Promise.withResolvers() }
      return { passed: loss.passed.promise, lost: loss.lost.promise }
    },
    holdNextProduce() {
      hold = Promise.withResolvers()
      return hold.promise
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** Every message of the protocol begins with its length in 4 bytes. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let buffered = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const length = 4 + buffered.readInt32BE(0)
      take(buffered.subarray(0, length))
      buffered = buffered.subarray(length)
    }
  })
}
