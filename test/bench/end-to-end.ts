import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { pace } from './measure/pace.ts'
import { quantile, type Spread, spreadOf } from './measure/statistics.ts'

/** Milliseconds from sending a request until its webhook arrives. */
export interface EndToEnd {
  requestsPerSecond: number
  p50: Spread
  p99: Spread
}

export interface EndToEndOptions {
  /** Where the API listens. It has one channel for webhooks. */
  api: string
  requestsPerSecond: readonly number[]
  rounds: number
  seconds: number
}

/** Sends at an even pace to a receiver of webhooks of its own. Every rate has a turn in each round; the first round compiles the code. */
export async function measureEndToEnd(options: EndToEndOptions): Promise<EndToEnd[]> {
  const { api, requestsPerSecond, rounds, seconds } = options
  const sink = await openSink()
  const latencies = new Map<number, number[][]>(requestsPerSecond.map((rate) => [rate, []]))
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [perSecond, measured] of latencies) {
        const trips = await pace({ perSecond, seconds }, () => sendAndAwait(api, sink))
        measured.push(trips.map(({ sentAt, arrivedAt }) => arrivedAt - sentAt))
      }
    }
  } finally {
    await sink.close()
  }
  return [...latencies].map(([rate, measured]) => ({
    requestsPerSecond: rate,
    p50: spreadOf(measured.slice(1).map((times) => quantile(times, 0.5))),
    p99: spreadOf(measured.slice(1).map((times) => quantile(times, 0.99))),
  }))
}

/** One message, in milliseconds since the epoch. */
export interface Trip {
  /** Where it went. */
  url: string
  sentAt: number
  arrivedAt: number
}

/** Sends one message, and waits until it is there. */
export async function sendAndAwait(api: string, sink: Sink): Promise<Trip> {
  const { url, arrived } = sink.expect()
  const sentAt = epochNow()
  const { body, statusCode } = await request(`${api}/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: [{ webhook_url: url }], content: { text: 'Your order is on its way.' } }),
  })
  await body.dump()
  if (statusCode !== 202) throw new Error(`a request was answered with ${statusCode}`)
  return { url, sentAt, arrivedAt: await arrived }
}

/** With its fractions. */
const epochNow = () => performance.timeOrigin + performance.now()

export interface Sink {
  /** An address of its own for one webhook, and when it arrives there. */
  expect(): { url: string; arrived: Promise<number> }
  close(): Promise<void>
}

/** A receiver of webhooks. */
export async function openSink(): Promise<Sink> {
  const expected = new Map<string, (at: number) => void>()
  const server = createServer((request, response) => {
    const path = request.url!
    expected.get(path)?.(epochNow())
    expected.delete(path)
    request.resume()
    response.writeHead(204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  let paths = 0
  return {
    expect() {
      const path = `/${paths++}`
      const arrived = new Promise<number>((resolve) => expected.set(path, resolve))
      return { url: `http://127.0.0.1:${port}${path}`, arrived }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
