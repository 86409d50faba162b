import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLedger, sendUntilAccepted, until } from '../harness/balance/load.ts'
import { type OtlpSpan, startOtlpCollector } from '../harness/otlp-collector.ts'
import { type CarillonProcess, startCarillon } from '../harness/process/carillon.ts'

/** Traces of `carillon dev`, exported over OTLP to a receiver on loopback, and to one that never answers. */

const channel = `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: hooks}
spec:
  type: webhook
  providers:
  - {name: primary, type: webhook, webhook: {allowedNetworks: [127.0.0.0/8]}, secretRef: {name: webhook-signing}}
  delivery: {retryTiers: [1s]}
`
const caller = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

let folder: string
let receiver: Server
/** Headers of the webhooks that arrived. */
const arrivals: IncomingHttpHeaders[] = []

const start = (env: Record<string, string>) =>
  startCarillon({
    dataDir: join(folder, 'data'),
    manifests: join(folder, 'manifests'),
    env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '100', ...env },
  })
const portOf = (server: { address(): AddressInfo | string | null }) => (server.address() as AddressInfo).port
const hook = (secret: string) => ({
  to: [{ webhook_url: `http://127.0.0.1:${portOf(receiver)}/${secret}` }],
  content: { text: `payload of ${secret}` },
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-traces-'))
  mkdirSync(join(folder, 'manifests'))
  writeFileSync(join(folder, 'manifests', 'hooks.yaml'), channel)
  // Refuses the first request for now, so that there is a retry.
  receiver = createServer((request, response) => {
    arrivals.push(request.headers)
    request.resume()
    response.writeHead(arrivals.length === 1 ? 503 : 204).end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
})

afterAll(() => {
  receiver.closeAllConnections()
  receiver.close()
  rmSync(folder, { recursive: true })
})

function kindOf({ kind }: OtlpSpan): string {
  return ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'][kind]!
}

function attribute({ attributes }: OtlpSpan, name: string) {
  const value = attributes.find(({ key }) => key === name)?.value
  return value && (value.stringValue ?? value.boolValue ?? Number(value.intValue))
}

describe('traces', { timeout: 300_000 }, () => {
  test('a send and its retry are a trace each, connected hop by hop, without a word of what was sent', async () => {
    const collector = await startOtlpCollector()
    const carillon = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
    try {
      const response = await fetch(`${carillon.url}/v1/notifications`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: `00-${caller.traceId}-${caller.spanId}-01`,
        },
        body: JSON.stringify(hook('confidential')),
      })
      expect(response.status).toBe(202)
      await until(() => arrivals.length === 2, 'the retry has arrived')
      await until(
        () => collector.spans.filter(({ name }) => name === 'call primary').length === 2,
        'both calls are seen',
      )
    } finally {
      // What is left is sent at the end.
      expect(await carillon.stop()).toBe(0)
      await collector.close()
    }
    const { spans } = collector
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    /** The names from a span up to the one that has no parent here. */
    const pathOf = (span: OtlpSpan | undefined): string[] =>
      span === undefined
        ? []
        : [`${kindOf(span)}: ${span.name}`, ...pathOf(byId.get(span.parentSpanId ?? ''))]
    const [first, second] = spans.filter(({ name }) => name === 'call primary') as [OtlpSpan, OtlpSpan]

    expect(pathOf(first)).toEqual([
      'client: call primary',
      'consumer: process carillon.default.hooks',
      'producer: send carillon.default.hooks',
      'consumer: process carillon.requests',
      'producer: send carillon.requests',
      'server: POST /v1/notifications',
    ])
    const root = spans.find(({ name }) => name === 'POST /v1/notifications')!
    expect(root).toMatchObject({ traceId: caller.traceId, parentSpanId: caller.spanId })
    expect(attribute(root, 'http.response.status_code')).toBe(202)
    expect(
      new Set(spans.filter(({ traceId }) => traceId === caller.traceId).map(({ name }) => name)).size,
    ).toBe(7)

    const retry = byId.get(second.parentSpanId!)!
    expect(pathOf(second)).toEqual([
      'client: call primary',
      'consumer: process carillon.default.hooks.retry.1s',
    ])
    expect(second.traceId).not.toBe(caller.traceId)
    const [link] = retry.links!
    expect(pathOf(byId.get(link!.spanId)).slice(0, 2)).toEqual([
      'producer: send carillon.default.hooks.retry.1s',
      'consumer: process carillon.default.hooks',
    ])
    expect(attribute(first, 'error.type')).toBe('503')
    expect(attribute(byId.get(first.parentSpanId!)!, 'carillon.status')).toBe('retry')
    expect([attribute(retry, 'carillon.attempt'), attribute(retry, 'carillon.status')]).toEqual([2, 'sent'])
    for (const span of spans.filter(({ kind }) => kind >= 4)) {
      expect(attribute(span, 'messaging.system')).toBe('kafka')
      expect(span.name).toContain(String(attribute(span, 'messaging.destination.name')))
    }

    expect(arrivals.map(({ traceparent }) => traceparent)).toEqual(
      [first, second].map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`),
    )
    expect(collector.services).toEqual(new Set(['carillon-dev']))
    expect(collector.received()).not.toMatch(/confidential|whsec_|127\.0\.0\.1/)
  })

  test('a collector that never answers disturbs nothing, and holds up no end', async () => {
    const sockets = new Set<Socket>()
    const silent = createTcpServer((socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const carillon: CarillonProcess = await start({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${portOf(silent)}/v1/traces`,
      OTEL_SERVICE_NAME: 'shop',
    })
    try {
      const promised = await sendUntilAccepted(() => carillon.url, 'first', hook('confidential'))
      await until(
        async () => (await readLedger(carillon.url, [promised]))[0]?.status === 'sent',
        'the message is sent',
      )
      await until(() => sockets.size > 0, 'the collector has been asked')
    } finally {
      const asked = Date.now()
      expect(await carillon.stop()).toBe(0)
      // An export may take 5 s; the rest is for a loaded machine.
      expect(Date.now() - asked).toBeLessThan(60_000)
      expect(carillon.output()).not.toContain('cannot write the log')
      for (const socket of sockets) socket.destroy()
      silent.close()
    }
  })
})
