import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { createLogger } from '../../../core/observability/logger.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../core/store/embedded.ts'
import { migrate } from '../../../core/store/migrate.ts'
import { openStore } from '../../../core/store/store.ts'

const logger = createLogger({ level: 'ERROR' })
let door: Server
let starting: Promise<{ url: string; stop(): Promise<void> }> | undefined

/**
 * Vitest's global set-up: one PostgreSQL for all test files of a run. It starts when the first of them asks, over HTTP because test
 * files run in processes of their own; a run that asks for none does not pay for one.
 */
export async function setup(project: TestProject): Promise<void> {
  door = createServer((_, response) => {
    starting ??= start()
    void starting.then(({ url }) => response.end(url), refuse(response))
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  // Listening alone does not keep the run from ending.
  door.unref()
  project.provide('postgresServer', `http://127.0.0.1:${(door.address() as AddressInfo).port}/`)
}

export async function teardown(): Promise<void> {
  door.close()
  door.closeAllConnections()
  const server = await starting?.catch(() => undefined)
  await server?.stop()
}

/** The database `carillon` of this server is the template of all others: migrated, and with no connection open. */
async function start() {
  const dataDir = await mkdtemp(join(tmpdir(), 'carillon-test-postgres-'))
  const server = await startEmbeddedPostgres({
    dataDir,
    logger,
    settings: { max_connections: '200', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  })
  const stop = async () => {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    await migrateTemplate(server)
  } catch (error) {
    await stop()
    throw error
  }
  return { url: server.url, stop }
}

async function migrateTemplate({ url }: EmbeddedPostgres): Promise<void> {
  const store = openStore({ url, logger })
  try {
    await migrate(store.db)
  } finally {
    await store.close()
  }
}

function refuse(response: ServerResponse): (error: unknown) => void {
  return (error) => {
    response.statusCode = 500
    response.end(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}
