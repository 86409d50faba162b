/**
 * A load in a process of its own, so that its CPU is not the server's: `node load.ts URL CONNECTIONS SECONDS [keyed]`. Every connection
 * sends its next request when the answer to the last is whole; `keyed` gives each an Idempotency-Key of its own. Prints a {@link LoadResult} as JSON.
 *
 * It writes and reads HTTP/1.1 by hand, because on a machine with few cores what a general client costs is taken from the server.
 */
import { connect } from 'node:net'
import { quantile } from '../measure/statistics.ts'

export interface LoadResult {
  /** Answered with 202. */
  accepted: number
  /** Answered with anything else. */
  refused: number
  seconds: number
  /** Milliseconds of an answer. */
  p50: number
  p99: number
}

const [address, connections, duration, keyed] = process.argv.slice(2)
if (address === undefined) throw new Error('usage: load.ts URL CONNECTIONS SECONDS [keyed]')
const { hostname, port, host } = new URL(address)
const run = Date.now().toString(36)
const latencies: number[] = []
let sent = 0
let refused = 0
const startedAt = performance.now()
const end = startedAt + Number(duration) * 1000

await Promise.all(Array.from({ length: Number(connections) }, openConnection))
const result: LoadResult = {
  accepted: latencies.length,
  refused,
  seconds: (performance.now() - startedAt) / 1000,
  p50: quantile(latencies, 0.5),
  p99: quantile(latencies, 0.99),
}
process.stdout.write(JSON.stringify(result))

/** Resolves when the time is over and the last answer is there. */
function openConnection(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  let sentAt = 0
  let answer = ''
  const next = () => {
    sentAt = performance.now()
    if (sentAt >= end) return void socket.end()
    socket.write(newRequest())
  }
  socket.setEncoding('latin1')
  socket.on('connect', next)
  socket.on('data', (chunk: string) => {
    answer += chunk
    if (!isWhole(answer)) return
    if (answer.startsWith('HTTP/1.1 202 ')) latencies.push(performance.now() - sentAt)
    else refused++
    answer = ''
    next()
  })
  socket.on('error', reject)
  socket.on('close', () =>
    performance.now() < end ? reject(new Error('the server closed a connection')) : resolve(),
  )
  return promise
}

/** One notification for a person of its own, by template: the usual request. */
function newRequest(): string {
  const number = ++sent
  const body = JSON.stringify({
    to: [{ user_id: `user-${run}-${number}` }],
    channels: ['email', 'push'],
    template: { id: 'order-shipped', locale: 'en' },
    data: {
      order_id: `A-${number}`,
      name: 'Ada',
      tracking_url: `https://example.com/orders/${number}`,
      items: ['Difference engine', 'Notes'],
    },
    metadata: { order: `A-${number}` },
  })
  const key = keyed === undefined ? '' : `idempotency-key: ${run}-${number}\r\n`
  return `POST /v1/notifications HTTP/1.1\r\nhost: ${host}\r\n${key}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(answer)?.[1]
  if (length === undefined) throw new Error('an answer without content-length')
  return answer.length >= head + 4 + Number(length)
}
