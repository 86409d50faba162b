import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Receipt } from './balance/balance.ts'

/** A message as it came in. */
export interface Arrival {
  to: string
  headers: IncomingHttpHeaders
  body: string
}

/** What the provider does with a message: `status` after so many milliseconds, or no answer at all. */
export interface Answer {
  after?: number
  status?: number
  headers?: Record<string, string>
}

export interface WebhookSink {
  url: string
  /** What it took, in order: the provider's log. A message it never answered counts, because it may have been acted upon. */
  receipts: Receipt[]
  /** Deliveries that came in whole, in order and as often as they came, whether it took them or not. */
  seen: string[]
  /** How many it refused. */
  refused(): number
  /** Requests that have arrived and are not answered yet: deliveries that are claimed and not finished. */
  inFlight(): number
  /** What becomes of the next messages. */
  behave(manner: (arrival: Arrival) => Answer): void
  /** Milliseconds until the next messages are answered, with 204. */
  setLatency(milliseconds: () => number): void
  /** Breaks all connections and refuses new ones, until `up`. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

/** A provider on loopback that logs every message before it answers, as a real one does. */
export async function startWebhookSink(): Promise<WebhookSink> {
  const receipts: Receipt[] = []
  const seen: string[] = []
  let refused = 0
  let inFlight = 0
  let manner: (arrival: Arrival) => Answer = () => ({})

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url = '/', headers } = request
      void take({ to: url, headers, body: Buffer.concat(chunks).toString() }, response)
    })
  })
  server.keepAliveTimeout = 60_000

  async function take(arrival: Arrival, response: ServerResponse): Promise<void> {
    const delivery = String(arrival.headers['webhook-id'])
    const { after = 0, status, headers } = manner(arrival)
    seen.push(delivery)
    if (status !== undefined && status >= 300) refused++
    else receipts.push({ delivery, to: arrival.to })
    inFlight++
    response.on('close', () => inFlight--)
    if (status === undefined) return
    if (after > 0) await sleep(after)
    response.writeHead(status, headers).end()
  }

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  const sink: WebhookSink = {
    url: '',
    receipts,
    seen,
    refused: () => refused,
    inFlight: () => inFlight,
    behave: (next) => (manner = next),
    setLatency: (milliseconds) => (manner = () => ({ after: milliseconds(), status: 204 })),
    down: stop,
    up: () => listen(Number(new URL(sink.url).port)),
    close: stop,
  }
  sink.setLatency(() => 0)
  await listen(0)
  sink.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return sink
}
