import type { ConsumedRecord } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock } from '../../core/clock.ts'
import type { EventPublisher } from '../../core/events/publisher.ts'
import { encodeDelivery, header, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { formatNotificationId, type InstallKeys, recordKey } from '../../core/notification/ids.ts'
import type { UserProfile } from '../../core/notification/user-profile.ts'
import { failureName } from '../../core/observability/tracing.ts'
import { changesOf } from './changes.ts'
import { expand } from './expand.ts'
import type { DeliveryRecord, Outlet } from './outlet.ts'
import type { PlannedRequest } from './record.ts'
import type { PlannerStore } from './store.ts'
import { type PlanTrace, startPlanTrace } from './trace-plan.ts'

export interface PlanBatchOptions {
  /** Writes the records of deliveries. */
  outlet: Outlet
  store: PlannerStore
  catalog: Catalog
  keys: InstallKeys
  prefix: string
  clock: Pick<Clock, 'now'>
  events: Pick<EventPublisher, 'publish'>
}

/** A request and the record that it came in. */
export interface PlannableRequest {
  record: ConsumedRecord
  request: RequestEnvelope
}

/** Records and bytes that are written at once. */
const maxChunk = { records: 1_000, bytes: 4 * 1024 * 1024 }

/**
 * Records the requests and their deliveries, then writes a record per delivery. Safe to repeat: the ids are the same. `told` resolves
 * when the world knows of the deliveries, without which the requests are not done.
 */
export async function planBatch(
  options: PlanBatchOptions,
  batch: readonly PlannableRequest[],
): Promise<{ told: Promise<unknown> }> {
  const planTrace = startPlanTrace(options.prefix, batch)
  try {
    const told = await plan(options, batch, planTrace)
    planTrace.end()
    return told
  } catch (error) {
    planTrace.end(failureName(error))
    throw error
  }
}

async function plan(
  { outlet, store, catalog, keys, prefix, clock, events }: PlanBatchOptions,
  batch: readonly PlannableRequest[],
  planTrace: PlanTrace,
): Promise<{ told: Promise<unknown> }> {
  const users = await findUsers(store, batch)
  const planned: PlannedRequest[] = batch.map(({ record, request }) => ({
    request,
    traceparent: record.headers[header.traceparent],
    deliveries: expand(request, {
      prefix,
      publicId: formatNotificationId(keys, request.tenant, request.id),
      channel: (namespace, name) => catalog.channel(namespace, name),
      users: users.get(request.tenant) ?? new Map(),
      now: clock.now(),
    }),
  }))
  const accepted = await store.record(planned)
  const changes = accepted.flatMap((request) => changesOf(request, keys))
  const told = Promise.all(changes.map((change) => events.publish(change)))
  // A batch that is planned again is told of again.
  told.catch(() => {})
  // Records come after the rows they will be claimed by. A crash in between plans again, with the same ids.
  // The events go first, so that they tell whether the cluster is there.
  await outlet.write(chunksOf(keys, accepted, planTrace))
  return { told }
}

/** The records of what is to be sent, in pieces: encoded all at once, one wide fan-out would fill the memory. */
function* chunksOf(
  keys: InstallKeys,
  accepted: readonly PlannedRequest[],
  planTrace: PlanTrace,
): Generator<DeliveryRecord[]> {
  let chunk: DeliveryRecord[] = []
  let bytes = 0
  for (const planned of accepted) {
    for (const { id, result } of planned.deliveries) {
      if (result.kind !== 'send') continue
      const { topic, envelope } = result
      const { value, headers } = encodeDelivery(envelope, planTrace.headersOf(planned, topic))
      const key = recordKey(keys, envelope.tenant, envelope.recipient)
      chunk.push({ topic, key, value, headers, delivery: id })
      bytes += value.length
      if (chunk.length < maxChunk.records && bytes < maxChunk.bytes) continue
      yield chunk
      chunk = []
      bytes = 0
    }
  }
  if (chunk.length > 0) yield chunk
}

async function findUsers(
  store: PlannerStore,
  batch: readonly PlannableRequest[],
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
      [...ids].map(async ([tenant, users]) => [tenant, await store.users(tenant, [...users])] as const),
    ),
  )
}
