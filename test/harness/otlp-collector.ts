import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** A span as OTLP/HTTP carries it in JSON, as far as tests look at it. */
export interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  /** 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number
  attributes: {
    key: string
    value: { stringValue?: string; intValue?: number | string; boolValue?: boolean }
  }[]
  links?: { traceId: string; spanId: string }[]
  status: { code?: number }
}

export interface OtlpCollector {
  url: string
  spans: OtlpSpan[]
  /** All that arrived, as text. */
  received(): string
  /** Names of the services that sent. */
  services: Set<string>
  close(): Promise<void>
}

interface ExportRequest {
  resourceSpans: { resource: { attributes: OtlpSpan['attributes'] }; scopeSpans: { spans: OtlpSpan[] }[] }[]
}

/** A collector that keeps what it is sent. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: OtlpSpan[] = []
  const services = new Set<string>()
  const requests: unknown[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      requests.push(body)
      for (const { resource, scopeSpans } of (body as ExportRequest).resourceSpans) {
        const name = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue
        if (name !== undefined) services.add(name)
        spans.push(...scopeSpans.flatMap(({ spans }) => spans))
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    services,
    received: () => JSON.stringify(requests),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
