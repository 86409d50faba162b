import type { Kysely } from 'kysely'
import {
  type Broker,
  BrokerError,
  type ConsumedRecord,
  type RecordToProduce,
} from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import {
  decodeRequest,
  encodeDelivery,
  header,
  type RequestEnvelope,
} from '../../core/notification/envelope.ts'
import { formatNotificationId, type InstallKeys, recordKey } from '../../core/notification/ids.ts'
import { plannerGroup, requestsDeadLettersTopic, requestsTopic } from '../../core/notification/topics.ts'
import type { UserProfile } from '../../core/notification/user-profile.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Database } from '../../core/store/schema.ts'
import { isStoreUnavailable } from '../../core/store/store.ts'
import { getUsers } from '../../core/store/users.ts'
import type { Running } from '../running.ts'
import { Source, type Work } from '../source.ts'
import { expand } from './expand.ts'
import { type PlannedRequest, recordRequests } from './record.ts'

export interface PlannerOptions {
  broker: Broker
  db: Kysely<Database>
  catalog: Catalog
  keys: InstallKeys
  prefix: string
  logger: Logger
}

interface Taken {
  record: ConsumedRecord
  request: RequestEnvelope
  work: Work
}

/** Requests planned together: enough to share a transaction, few enough to be done in milliseconds. */
const maxBatch = 200
const holdMilliseconds = 1_000

/** Turns accepted requests into deliveries: records them, then writes one record per delivery to its channel's topic. */
export async function startPlanner(options: PlannerOptions): Promise<Running> {
  const { broker, prefix, logger } = options
  const waiting: Taken[] = []
  let stopping = false
  let working: Promise<void> = Promise.resolve()
  let idle = true

  const source = new Source({
    broker,
    group: plannerGroup(prefix),
    topics: [requestsTopic(prefix)],
    logger,
    bounds: { records: 2_000, bytes: 16 * 1024 * 1024 },
    onRecord: (record, work) => {
      const decoded = decodeRequest(record.value, record.headers)
      switch (decoded.kind) {
        case 'ok':
          waiting.push({ record, work, request: decoded.envelope })
          if (idle) working = planWaiting()
          return
        case 'unknown_version':
          logger.error(
            { version: decoded.version, partition: record.partition },
            'Request of an unknown version; its partition is held',
          )
          return source.hold(record)
        case 'poison':
          void deadLetter(record, work, decoded.detail)
      }
    },
  })

  async function planWaiting(): Promise<void> {
    idle = false
    while (waiting.length > 0 && !stopping) {
      const batch = waiting.splice(0, maxBatch).filter(({ work }) => !work.abandoned())
      if (batch.length > 0) await planUntilDone(batch)
    }
    idle = true
  }

  /** Holds while the store or the broker is away. Takes a batch apart to find a request that cannot be recorded. */
  async function planUntilDone(batch: readonly Taken[]): Promise<void> {
    while (!stopping) {
      try {
        await planBatch(options, batch)
        for (const { work } of batch) work.done()
        return
      } catch (error) {
        if (!isStoreUnavailable(error) && !(error instanceof BrokerError)) return apart(batch, error)
        logger.warn({ err: error, requests: batch.length }, 'Planning held')
        await new Promise((resolve) => setTimeout(resolve, holdMilliseconds))
      }
    }
  }

  async function apart(batch: readonly Taken[], error: unknown): Promise<void> {
    const [only, ...others] = batch
    if (only === undefined) return
    if (others.length > 0) {
      for (const taken of batch) await planUntilDone([taken])
      return
    }
    logger.error({ err: error, notification: only.request.id }, 'Request cannot be planned')
    await deadLetter(only.record, only.work, 'cannot be recorded')
  }

  async function deadLetter(record: ConsumedRecord, work: Work, detail: string): Promise<void> {
    logger.warn({ partition: record.partition, offset: record.offset, detail }, 'Poison request')
    const headers = {
      ...record.headers,
      [header.reason]: 'poison',
      [header.origin]: `${record.topic}/${record.partition}/${record.offset}`,
    }
    while (!stopping) {
      try {
        await broker.producer.produce([
          { topic: requestsDeadLettersTopic(prefix), key: record.key, value: record.value, headers },
        ])
        return work.done()
      } catch (error) {
        logger.warn({ err: error }, 'Dead letter held')
        await new Promise((resolve) => setTimeout(resolve, holdMilliseconds))
      }
    }
  }

  await source.start()
  return {
    ready: () => source.healthy,
    failed: source.failed,
    async stop() {
      stopping = true
      await working
      await source.stop()
    },
  }
}

async function planBatch(
  { broker, db, catalog, keys, prefix }: PlannerOptions,
  batch: readonly Taken[],
): Promise<void> {
  const users = await findUsers(db, batch)
  const planned: PlannedRequest[] = batch.map(({ record, request }) => ({
    request,
    traceparent: record.headers[header.traceparent],
    deliveries: expand(request, {
      prefix,
      publicId: formatNotificationId(keys, request.tenant, request.id),
      channel: (namespace, name) => catalog.channel(namespace, name),
      users: users.get(request.tenant) ?? new Map(),
    }),
  }))
  const accepted = await recordRequests(db, planned)
  // Records come after the rows they will be claimed by. A crash in between plans again, with the same ids.
  await broker.producer.produce(
    accepted.flatMap(({ traceparent, deliveries }) =>
      deliveries.flatMap(({ result }): RecordToProduce[] => {
        if (result.kind !== 'send') return []
        const { topic, envelope } = result
        const { value, headers } = encodeDelivery(envelope, traceparent)
        return [{ topic, key: recordKey(keys, envelope.tenant, envelope.recipient), value, headers }]
      }),
    ),
  )
}

async function findUsers(
  db: Kysely<Database>,
  batch: readonly Taken[],
): Promise<Map<string, Map<string, UserProfile>>> {
  const ids = new Map<string, Set<string>>()
  for (const { request } of batch) {
    for (const { user_id } of request.to) {
      if (user_id === undefined) continue
      const known = ids.get(request.tenant) ?? new Set()
      ids.set(request.tenant, known.add(user_id))
    }
  }
  return new Map(
    await Promise.all(
      [...ids].map(async ([tenant, users]) => [tenant, await getUsers(db, tenant, [...users])] as const),
    ),
  )
}
