import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
import { prepared } from '../../core/store/prepared.ts'
import { type Database, unknownBody } from '../../core/store/schema.ts'
import type { PlannedDelivery } from './expand.ts'

export interface PlannedRequest {
  request: RequestEnvelope
  traceparent: string | undefined
  deliveries: PlannedDelivery[]
}

/**
 * Records requests and their deliveries, in one statement where all are new. Answers which of the requests are
 * to be sent: all but those that came with a known id and another body. What is already there is left as it is, so a batch may be
 * recorded again after a crash. Only a delivery that was never claimed and that by now cannot be sent (its channel or address is
 * gone) ends: no record of it may exist.
 */
export async function recordRequests(
  db: Kysely<Database>,
  planned: readonly PlannedRequest[],
): Promise<readonly PlannedRequest[]> {
  const isNew = await recordNew(db, firstOfEach(planned))
  const known = planned.filter((entry) => !isNew.has(entry))
  if (known.length === 0) return planned
  return db.transaction().execute(async (transaction) => {
    const conflicting = await insertNotifications(transaction, known)
    const isAccepted = (entry: PlannedRequest) => isNew.has(entry) || !conflicting.has(keyOf(entry.request))
    await insertDeliveries(transaction, known.filter(isAccepted))
    return planned.filter(isAccepted)
  })
}

/** Within a batch the first of an id wins, as it would in two batches. In order of the ids, so that two planners cannot wait for each other. */
function firstOfEach(planned: readonly PlannedRequest[]): PlannedRequest[] {
  const first = new Map<string, PlannedRequest>()
  for (const entry of planned) if (!first.has(entry.request.id)) first.set(entry.request.id, entry)
  return [...first.values()].toSorted((left, right) => (left.request.id < right.request.id ? -1 : 1))
}

/** Records those whose id is not known yet, with their deliveries; answers which they are. */
async function recordNew(
  db: Kysely<Database>,
  planned: readonly PlannedRequest[],
): Promise<ReadonlySet<PlannedRequest>> {
  const input = planned.map(({ request, traceparent }) => {
    const { id, tenant, body_hash, template, category, metadata, accepted_at, expires_at } = request
    const { name, revision } = template ?? {}
    return { id, tenant, body_hash, name, revision, category, metadata, traceparent, accepted_at, expires_at }
  })
  const { rows } = await sql<{ id: string }>`${prepared('record')}
    WITH recorded AS (
      INSERT INTO notifications (
        id, tenant, body_hash, template, template_revision, category, metadata, traceparent, accepted_at, expires_at
      )
      SELECT id, tenant, decode(body_hash, 'hex'), name, revision, category, metadata, traceparent, accepted_at, expires_at
      FROM json_to_recordset(${JSON.stringify(input)}) AS t (
        id uuid, tenant text, body_hash text, name text, revision text, category text, metadata jsonb, traceparent text,
        accepted_at timestamptz, expires_at timestamptz
      )
      ON CONFLICT (id) DO NOTHING RETURNING id
    ), deliveries AS (${insertion(planned, sql`WHERE notification_id IN (SELECT id FROM recorded)`)})
    SELECT id FROM recorded`.execute(db)
  const ids = new Set(rows.map(({ id }) => id))
  return new Set(planned.filter(({ request }) => ids.has(request.id)))
}

const keyOf = ({ id, body_hash }: RequestEnvelope) => `${id}/${body_hash}`

async function insertNotifications(
  db: Kysely<Database>,
  planned: readonly PlannedRequest[],
): Promise<Set<string>> {
  const entries = firstOfEach(planned)
  await db
    .insertInto('notifications')
    .values(
      entries.map(({ request, traceparent }) => ({
        id: request.id,
        tenant: request.tenant,
        body_hash: Buffer.from(request.body_hash, 'hex'),
        template: request.template?.name ?? null,
        template_revision: request.template?.revision ?? null,
        category: request.category ?? null,
        metadata: JSON.stringify(request.metadata),
        traceparent: traceparent ?? null,
        accepted_at: request.accepted_at,
        expires_at: request.expires_at ?? null,
      })),
    )
    // Nothing is known of the body where only a delivery was left: then this is it.
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet((eb) => ({ body_hash: eb.ref('excluded.body_hash') }))
        .where('notifications.body_hash', '=', unknownBody),
    )
    .execute()
  const stored = await db
    .selectFrom('notifications')
    .select(['id', 'body_hash'])
    .where('id', '=', (eb) => eb.fn.any(sql.val(entries.map(({ request }) => request.id))))
    .execute()
  const hashes = new Map(stored.map(({ id, body_hash }) => [id, body_hash.toString('hex')]))
  const conflicts = planned.filter(({ request }) => hashes.get(request.id) !== request.body_hash)
  for (const { request } of conflicts) {
    await db
      .updateTable('notifications')
      .set((eb) => ({ conflicts: eb('conflicts', '+', 1) }))
      .where('id', '=', request.id)
      .execute()
  }
  return new Set(conflicts.map(({ request }) => keyOf(request)))
}

async function insertDeliveries(db: Kysely<Database>, planned: readonly PlannedRequest[]): Promise<void> {
  await insertion(planned, sql``).execute(db)
}

/** The statement that records deliveries. @param only of which of them */
function insertion(planned: readonly PlannedRequest[], only: RawBuilder<unknown>): RawBuilder<unknown> {
  // A client's repeat may share the batch with the first; PostgreSQL takes a row once per statement.
  const byId = new Map(
    planned.flatMap(({ request, deliveries }) =>
      deliveries.map((delivery) => [delivery.id, { request, delivery }] as const),
    ),
  )
  const rows = [...byId.values()].map(({ request, delivery }) => {
    const { id, channel, channelType, recipient, userId, result, expiresAt } = delivery
    const { status, reason } = result.kind === 'skip' ? result : { status: 'queued', reason: null }
    return {
      id,
      notification_id: request.id,
      tenant: request.tenant,
      channel,
      channel_type: channelType,
      recipient,
      user_id: userId,
      status,
      reason,
      expires_at: expiresAt,
    }
  })
  return sql`
    INSERT INTO deliveries (
      id, notification_id, tenant, channel, channel_type, recipient, user_id, status, reason, expires_at, created_at, updated_at
    )
    SELECT *, clock_timestamp(), clock_timestamp() FROM json_to_recordset(${JSON.stringify(rows)}) AS t (
      id uuid, notification_id uuid, tenant text, channel text, channel_type text, recipient text, user_id text,
      status text, reason text, expires_at timestamptz
    ) ${only}
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, updated_at = excluded.updated_at
    WHERE deliveries.status = 'queued' AND deliveries.attempt = 0 AND excluded.status <> 'queued'`
}
