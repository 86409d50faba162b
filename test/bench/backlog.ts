import { randomBytes } from 'node:crypto'
import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { openCatalog } from '../../core/catalog/reader.ts'
import { systemClock as clock } from '../../core/clock.ts'
import { deriveInstallKeys, newNotificationId } from '../../core/notification/ids.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { openStore } from '../../core/store/store.ts'
import { countAcknowledged } from '../../workers/acknowledged.ts'
import { createOutlet } from '../../workers/planner/outlet.ts'
import { type PlannableRequest, planBatch } from '../../workers/planner/plan-batch.ts'
import { openPlannerStore } from '../../workers/planner/store.ts'

/** Puts deliveries on the topics of channels as the planner does, only faster than anybody sends them. */
export interface Backlog {
  /** Writes the rows of so many deliveries, then their records: each to an address of its own below the URL. */
  fill(channel: string, url: string, count: number): Promise<void>
  /** Whether all of those that ever were put on a channel have been sent. */
  drained(): Promise<boolean>
  close(): Promise<void>
}

/** Recipients of one request, as many as the API takes. */
const recipients = 100
/** Requests that are planned at once. */
const batchSize = 100

export async function openBacklog(options: {
  kafka: string
  databaseUrl: string
  prefix: string
}): Promise<Backlog> {
  const { prefix } = options
  const logger = createLogger({ level: 'ERROR' })
  const store = openStore({ url: options.databaseUrl, logger, poolSize: 2, queryTimeout: 0 })
  const broker = openKafkaBroker({ bootstrapServers: [options.kafka], clientId: 'bench', logger })
  const catalog = await openCatalog({ broker, topic: catalogTopic(prefix), logger })
  const plannerStore = openPlannerStore(store.db)
  const planning = {
    outlet: createOutlet({
      producer: countAcknowledged(broker.producer),
      store: plannerStore,
      clock,
      logger,
    }),
    store: plannerStore,
    catalog,
    keys: deriveInstallKeys(randomBytes(32)),
    prefix,
    clock,
    events: { publish: async () => {} },
  }
  /** Notifications of the last fill. */
  let notifications: string[] = []

  return {
    async fill(channel, url, count) {
      const addresses = Array.from({ length: count }, (_, index) => `${url}/${index}`)
      const requests: PlannableRequest[] = []
      for (let first = 0; first < count; first += recipients) {
        requests.push(plannable(channel, addresses.slice(first, first + recipients)))
      }
      notifications = requests.map(({ request }) => request.id)
      for (let first = 0; first < requests.length; first += batchSize)
        await planBatch(planning, requests.slice(first, first + batchSize))
    },
    async drained() {
      const row = await store.db
        .selectFrom('deliveries')
        .select('id')
        .where('notification_id', 'in', notifications)
        .where('status', '<>', 'sent')
        .limit(1)
        .executeTakeFirst()
      return row === undefined
    },
    async close() {
      await catalog.close()
      await broker.close()
      await store.close()
    },
  }
}

function plannable(channel: string, addresses: readonly string[]): PlannableRequest {
  const now = clock.now()
  return {
    record: {
      topic: 'requests',
      partition: 0,
      offset: 0,
      timestamp: now,
      key: null,
      value: null,
      headers: {},
    },
    request: {
      id: newNotificationId(now, randomBytes(10)),
      tenant: 'default',
      body_hash: '0'.repeat(64),
      to: addresses.map((url) => ({ webhook_url: url })),
      channels: [channel],
      content: { text: 'Your order is on its way.' },
      data: {},
      metadata: {},
      accepted_at: new Date(now).toISOString(),
    },
  }
}
