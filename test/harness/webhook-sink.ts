import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Receipt } from './balance.ts'

export interface WebhookSink {
  url: string
  /** What has arrived whole, in order: the provider's log. */
  receipts: Receipt[]
  /** Requests that have arrived and are not answered yet: deliveries that are claimed and not finished. */
  inFlight(): number
  /** Milliseconds until the next requests are answered. */
  setLatency(milliseconds: () => number): void
  close(): Promise<void>
}

/** A provider on loopback that logs every message before it answers, as a real one does. */
export async function startWebhookSink(): Promise<WebhookSink> {
  const receipts: Receipt[] = []
  let latency = () => 0
  let inFlight = 0
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      receipts.push({ delivery: String(request.headers['webhook-id']) })
      inFlight++
      response.on('close', () => inFlight--)
      setTimeout(() => response.writeHead(204).end(), latency())
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    receipts,
    inFlight: () => inFlight,
    setLatency: (milliseconds) => (latency = milliseconds),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
