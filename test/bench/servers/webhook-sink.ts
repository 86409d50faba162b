/**
 * Receives webhooks and does nothing else: `POST /RUN/MILLISECONDS/…` is answered after so long, `GET /RUN` says what came of that run
 * as {@link Arrivals}.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitTermination } from '../../../core/process/signals.ts'

export interface Arrivals {
  count: number
  /** Milliseconds on the sink's own clock. */
  firstAt: number
  lastAt: number
}

const runs = new Map<string, Arrivals>()
const { requested } = awaitTermination()
const server = createServer((request, response) => void receive(request, response))
// Between two rounds nothing is sent; a connection that is closed meanwhile would be a failure of the next round.
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
await requested
server.closeAllConnections()
server.close()

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, run = '', latency = ''] = request.url!.split('/')
  const arrivals = runs.get(run) ?? { count: 0, firstAt: performance.now(), lastAt: 0 }
  if (request.method === 'GET') {
    response.end(JSON.stringify(arrivals))
    return
  }
  runs.set(run, arrivals)
  request.resume()
  await once(request, 'end')
  arrivals.count++
  arrivals.lastAt = performance.now()
  if (latency !== '0') await sleep(Number(latency))
  response.writeHead(204).end()
}
