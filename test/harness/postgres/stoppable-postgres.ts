import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../../core/observability/logger.ts'
import { startEmbeddedPostgres } from '../../../core/store/embedded.ts'
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts'

/** A PostgreSQL of its own that may be stopped or killed, and started again, always found at the same address: that of a proxy before it. */
export interface StoppablePostgres {
  url: string
  proxy: TcpProxy
  stop(): Promise<void>
  /** Ends it as a crash does (`kill -9`). */
  kill(): Promise<void>
  start(): Promise<void>
  /** Stops it and removes what it wrote. */
  remove(): Promise<void>
}

/** That it ended is what was asked for. */
const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
/** Nothing here cuts the power, and a process that ends leaves what it wrote to the operating system. */
const settings = { max_connections: '200', fsync: 'off' }

export async function startStoppablePostgres(): Promise<StoppablePostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'carillon-postgres-'))
  const portOf = (url: string) => Number(new URL(url).port)
  let server = await startEmbeddedPostgres({ dataDir, logger, settings })
  const proxy = await startTcpProxy({ port: portOf(server.url) })
  const url = new URL(server.url)
  url.port = String(proxy.port)
  return {
    url: url.href,
    proxy,
    stop: () => server.stop(),
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server.ended
      // Lets go of the data folder.
      await server.stop()
    },
    async start() {
      server = await startEmbeddedPostgres({ dataDir, logger, settings })
      proxy.retarget(portOf(server.url))
    },
    async remove() {
      await server.stop()
      await proxy.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
