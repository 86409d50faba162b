import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCarillon } from '../harness/carillon.ts'
import { cpuOf } from './process-cpu.ts'
import { quantile, type Spread, spreadOf } from './statistics.ts'

/** `carillon dev`, whole: API, planner, workers and PostgreSQL. */
export interface DevResult {
  /** Milliseconds of CPU in a second without a request, of the Node process and of PostgreSQL. */
  idleCpu: { node: number; postgres: number }
  /** Milliseconds from sending a request until its webhook arrives, at `requestsPerSecond`. */
  endToEnd: { requestsPerSecond: number; p50: Spread; p99: Spread }
}

/** Seconds until the work of the start is done. */
const settling = 10
const idleSeconds = 10
const requestsPerSecond = 100
/** Milliseconds that the last webhooks of a round may take. */
const patience = 10_000

const channel = `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: hooks}
spec:
  type: webhook
  providers:
  - name: primary
    type: webhook
    webhook: {allowedNetworks: [127.0.0.0/8]}
    secretRef: {name: hooks}
  topic: {partitions: 3}
`

export async function measureDev(options: { rounds: number; seconds: number }): Promise<DevResult> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-bench-dev-'))
  const secrets = join(folder, 'secrets')
  await mkdir(join(folder, 'manifests'))
  await mkdir(join(secrets, 'hooks'), { recursive: true })
  await writeFile(join(folder, 'manifests', 'hooks.yaml'), channel)
  await writeFile(join(secrets, 'hooks', 'secret'), `whsec_${Buffer.alloc(32, 1).toString('base64')}`)
  const arrivals = new Arrivals()
  const sink = await arrivals.listen()
  const carillon = await startCarillon({
    dataDir: join(folder, 'data'),
    manifests: join(folder, 'manifests'),
    env: { CARILLON_SECRETS_DIR: secrets, LOG_LEVEL: 'ERROR' },
  })
  try {
    const idleCpu = await measureIdle(carillon.process.pid!)
    const rounds: number[][] = []
    // The first round is not counted: it compiles the code.
    for (let round = 0; round <= options.rounds; round++) {
      rounds.push(await measureRound(carillon.url, sink.url, arrivals, `${round}`, options.seconds))
    }
    const measured = rounds.slice(1)
    return {
      idleCpu,
      endToEnd: {
        requestsPerSecond,
        p50: spreadOf(measured.map((latencies) => quantile(latencies, 0.5))),
        p99: spreadOf(measured.map((latencies) => quantile(latencies, 0.99))),
      },
    }
  } finally {
    await carillon.stop()
    await sink.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measureIdle(pid: number): Promise<DevResult['idleCpu']> {
  await sleep(settling * 1000)
  const before = cpuOf(pid)
  await sleep(idleSeconds * 1000)
  const after = cpuOf(pid)
  const perSecond = (microseconds: number) => microseconds / 1000 / idleSeconds
  return {
    node: perSecond(after.own - before.own),
    postgres: perSecond(after.others - before.others),
  }
}

/** Sends at an even pace, whatever becomes of it, and answers how long each webhook took to arrive. */
async function measureRound(api: string, sink: string, arrivals: Arrivals, name: string, seconds: number) {
  const startedAt = performance.now()
  const latencies = Array.from({ length: seconds * requestsPerSecond }, async (_, index) => {
    const key = `/${name}/${index}`
    await sleep(Math.max(0, startedAt + (index * 1000) / requestsPerSecond - performance.now()))
    const sentAt = performance.now()
    const arrived = arrivals.of(key)
    const response = await fetch(`${api}/v1/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to: [{ webhook_url: `${sink}${key}` }], content: { text: `message ${key}` } }),
    })
    await response.arrayBuffer()
    if (response.status !== 202) throw new Error(`a request was answered with ${response.status}`)
    return (await arrived) - sentAt
  })
  return Promise.race([Promise.all(latencies), late(seconds * 1000 + patience)])
}

async function late(milliseconds: number): Promise<never> {
  await sleep(milliseconds, undefined, { ref: false })
  throw new Error('not every webhook has arrived')
}

/** A receiver of webhooks, on the same clock as their sender. */
class Arrivals {
  readonly #expected = new Map<string, (at: number) => void>()

  /** When the webhook to this path arrives. */
  of(path: string): Promise<number> {
    return new Promise((resolve) => this.#expected.set(path, resolve))
  }

  async listen(): Promise<{ url: string; close: () => Promise<void> }> {
    const server = createServer((request, response) => {
      this.#expected.get(request.url!)?.(performance.now())
      request.resume()
      response.writeHead(204).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async close() {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }
}
