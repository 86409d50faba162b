import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
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
  const sink = new Sink()
  await sink.listen()
  const latencies = new Map<number, number[][]>(requestsPerSecond.map((rate) => [rate, []]))
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [perSecond, measured] of latencies) {
        measured.push(await pace({ perSecond, seconds }, () => sendAndAwait(api, sink)))
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

async function sendAndAwait(api: string, sink: Sink): Promise<number> {
  const { url, arrived } = sink.expect()
  const sentAt = performance.now()
  const response = await fetch(`${api}/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: [{ webhook_url: url }], content: { text: 'Your order is on its way.' } }),
  })
  await response.arrayBuffer()
  if (response.status !== 202) throw new Error(`a request was answered with ${response.status}`)
  return (await arrived) - sentAt
}

/** A receiver of webhooks, on the same clock as their sender. */
class Sink {
  readonly #expected = new Map<string, (at: number) => void>()
  readonly #server = createServer((request, response) => {
    const path = request.url!
    this.#expected.get(path)?.(performance.now())
    this.#expected.delete(path)
    request.resume()
    response.writeHead(204).end()
  })
  #paths = 0

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** An address of its own for one webhook, and when it arrives there. */
  expect(): { url: string; arrived: Promise<number> } {
    const path = `/${this.#paths++}`
    const arrived = new Promise<number>((resolve) => this.#expected.set(path, resolve))
    const { port } = this.#server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}${path}`, arrived }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
