import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedBroker } from '../../core/broker/embedded.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../core/store/embedded.ts'
import { migrate } from '../../core/store/migrate.ts'
import { openStore } from '../../core/store/store.ts'
import { describeBroker } from './broker.ts'
import type { BrokerCluster } from './broker/harness.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

describeBroker('the embedded broker', { start, restarts: true, timeout: 120_000 })

/** The broker on a PostgreSQL of its own, durable, because the suite kills it. */
async function start(): Promise<BrokerCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'carillon-broker-'))
  const startPostgres = () => startEmbeddedPostgres({ dataDir, logger })
  let postgres = await startPostgres()
  const address = await fixedAddress(() => postgres)
  const store = openStore({ url: address.url, logger })
  await migrate(store.db)
  const broker = await openEmbeddedBroker({ db: store.db, logger })
  let topics = 0
  return {
    open: async () => broker.client(),
    topicName: () => `topic-${++topics}`,
    clean: () => broker.clean(),
    async restart(whileDown) {
      process.kill(postgres.pid, 'SIGKILL')
      await postgres.ended
      // Lets go of the data folder.
      await postgres.stop()
      await whileDown()
      postgres = await startPostgres()
    },
    async close() {
      await broker.close()
      await store.close()
      address.close()
      await postgres.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
    capabilities: { deadlineMs: 30_000, cleaningMs: 30_000, recoveryMs: 60_000 },
  }
}

/** PostgreSQL comes back on another port; this forwards one port to wherever it is now. */
async function fixedAddress(target: () => EmbeddedPostgres): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target().url).port), '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target().url)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
