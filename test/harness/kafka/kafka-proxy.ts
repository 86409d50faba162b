import { type Link, type Passage, startTcpProxy, type TcpProxy } from '../tcp-proxy.ts'

const PRODUCE = 0

/**
 * Stands before a broker and understands just enough of Kafka's protocol to do to the next Produce request what a network can: lose its
 * answer, or keep it on the way for as long as one likes.
 */
export interface KafkaProxy extends TcpProxy {
  /** The broker gets the next Produce and does it; instead of its answer the client sees the connection end. */
  loseNextAnswer(): Loss
  /** Keeps the next Produce from the broker. Resolves once it is here. */
  holdNextProduce(): Promise<HeldProduce>
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
  let loss: { passed: PromiseWithResolvers<void>; lost: PromiseWithResolvers<void> } | undefined
  let hold: PromiseWithResolvers<HeldProduce> | undefined

  function open({ toServer, toClient, end }: Link): Passage {
    let lost: { correlationId: number; done: () => void } | undefined
    return {
      fromClient: byFrames((frame) => {
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
        toServer(frame)
      }),
      fromServer: byFrames((frame) => {
        if (lost?.correlationId === frame.readInt32BE(4)) {
          lost.done()
          end()
        } else toClient(frame)
      }),
    }
  }

  return {
    ...(await startTcpProxy(target, open)),
    loseNextAnswer() {
      loss = { passed: Promise.withResolvers(), lost: Promise.withResolvers() }
      return { passed: loss.passed.promise, lost: loss.lost.promise }
    },
    holdNextProduce() {
      hold = Promise.withResolvers()
      return hold.promise
    },
  }
}

/** Every message of the protocol begins with its length in 4 bytes. */
function byFrames(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let buffered = Buffer.alloc(0)
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const length = 4 + buffered.readInt32BE(0)
      take(buffered.subarray(0, length))
      buffered = buffered.subarray(length)
    }
  }
}
