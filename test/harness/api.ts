import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { beforeAll, beforeEach } from 'vitest'
import { buildApi } from '../../api-server/server.ts'
import type { BrokerError, PartitionLag, RecordToProduce } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { systemClock } from '../../core/clock.ts'
import { decodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys, type InstallKeys } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { createMetrics } from '../../core/observability/metrics.ts'
import type { Database } from '../../core/store/schema.ts'
import type { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { staticCatalog } from './fakes/static-catalog.ts'
import { testDatabase } from './postgres/postgres.ts'

export interface TestApi {
  app: FastifyInstance
  db: Kysely<Database>
  keys: InstallKeys
  /** What was written to the broker, in order. */
  produced: RecordToProduce[]
  /** The requests in it. */
  requests(): RequestEnvelope[]
  /** Everything logged so far, as text. */
  log(): string
  /** What the broker does with the next records: holds them until the promise settles, or refuses them. */
  broker: { before: (() => Promise<void>) | undefined; error: BrokerError | undefined; lags: PartitionLag[] }
}

/** Channels and templates of {@link testApi}, unless it is given others. */
export const testCatalog = staticCatalog({
  channels: { email: 'email', sms: 'sms', push: 'push', slack: 'slack', inapp: 'inapp', webhook: 'webhook' },
  templates: {
    welcome: {
      variables: { type: 'object', required: ['username'], properties: { username: { type: 'string' } } },
      content: {
        email: { subject: 'Welcome', text: '{{ data.username }}' },
        push: { title: 'Welcome', body: '{{ data.username }}' },
        inapp: { title: 'Welcome', body: '{{ data.username }}' },
      },
    },
  },
})

/**
 * One API for the tests of a file, on a database of its own, from before the first to after the last. Every test begins with nothing
 * produced and a broker that takes everything. To be called where the file begins; for use inside hooks and tests.
 */
export function useTestApi(): TestApi {
  const api = {} as TestApi
  beforeAll(async () => {
    const { db, close } = await testDatabase()
    Object.assign(api, await testApi({ db }))
    return async () => {
      await api.app.close()
      await close()
    }
  })
  beforeEach(() => {
    api.produced.length = 0
    api.broker.before = undefined
    api.broker.error = undefined
  })
  return api
}

/** The API on a broker that only remembers. Ask it with `app.inject`. */
export async function testApi(options: {
  db: Kysely<Database>
  catalog?: Catalog
  /** For templates whose variables are large. */
  templates?: Pick<TemplateThreads, 'validate'>
  isReady?: () => boolean
}): Promise<TestApi> {
  const lines: string[] = []
  const produced: RecordToProduce[] = []
  const broker: TestApi['broker'] = { before: undefined, error: undefined, lags: [] }
  const keys = deriveInstallKeys(Buffer.alloc(32, 7))
  const app = await buildApi({
    catalog: options.catalog ?? testCatalog,
    templates: options.templates ?? { validate: unused },
    broker: {
      producer: {
        async produce(records) {
          await broker.before?.()
          if (broker.error) throw broker.error
          produced.push(...records)
          return records.map(({ topic }, offset) => ({ topic, partition: 0, offset }))
        },
      },
      admin: {
        lag: async () => broker.lags,
        offsetsAt: async () => [],
        createTopics: unused,
        listTopics: unused,
        describeTopics: unused,
        growPartitions: unused,
        alterConfig: unused,
        deleteTopics: unused,
      },
    },
    db: options.db,
    keys,
    prefix: 'test',
    logger: createLogger({ level: 'DEBUG', destination: { write: (line) => void lines.push(line) } }),
    metrics: createMetrics(),
    clock: systemClock,
    randomBytes,
    isReady: options.isReady ?? (() => true),
  })
  return {
    app,
    db: options.db,
    keys,
    produced,
    requests: () => produced.map(readRequest),
    log: () => lines.join(''),
    broker,
  }
}

function readRequest({ value, headers = {} }: RecordToProduce): RequestEnvelope {
  const decoded = decodeRequest(value, headers)
  if (decoded.kind !== 'ok') throw new Error(`produced what no planner reads: ${decoded.kind}`)
  return decoded.envelope
}

async function unused(): Promise<never> {
  throw new Error('the API has no business with that')
}
