import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { Registry } from 'prom-client'
import type { ListenAddress } from '../settings/values.ts'
import { listenRefused, urlOf } from './listen.ts'

export interface HealthServerOptions {
  listen: ListenAddress
  /** False while the process starts or drains, and while it cannot do its work. */
  isReady: () => boolean
  registry: Registry
}

export interface HealthServer {
  url: string
  close(): Promise<void>
}

/**
 * What a supervisor asks a process: `/livez` (it runs), `/readyz` (it does its work; 503 when not) and `/metrics` for Prometheus.
 * Readiness asks nothing of brokers and databases that are away for everybody: restarting would mend nothing.
 * Throws StartRefused when the address cannot be listened on.
 */
export async function startHealthServer({
  listen,
  isReady,
  registry,
}: HealthServerOptions): Promise<HealthServer> {
  const answer: RequestListener = (request, response) => {
    const json = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void json(405, { status: 'not_allowed' })
    if (path === '/livez') return void json(200, { status: 'ok' })
    if (path === '/readyz') {
      const ready = isReady()
      return void json(ready ? 200 : 503, { status: ready ? 'ready' : 'not_ready' })
    }
    if (path !== '/metrics') return void json(404, { status: 'not_found' })
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => json(500, { status: 'error' }),
    )
  }
  const server = createServer(answer)
  try {
    server.listen({ host: listen.host, port: listen.port })
    await once(server, 'listening')
  } catch (error) {
    throw listenRefused('CARILLON_HEALTH_LISTEN', listen, error)
  }
  return {
    url: urlOf(server, listen),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
