import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
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
  const { rows } = await sql<{ id: string }>`
    WITH recorded AS (
      INSERT INTO notifications (
        id, tenant, body_hash, template, template_revision, category, metadata, traceparent, accepted_at, expires_at
      )
      SELECT id, tenant, decode(body_hash, 'hex'), template, revision, category, metadata::jsonb, traceparent, accepted_at, expires_at
      FROM unnest(
        ${planned.map(({ request }) => request.id)}::uuid[],
        ${planned.map(({ request }) => request.tenant)}::text[],
        ${planned.map(({ request }) => request.body_hash)}::text[],
        ${planned.map(({ request }) => request.template?.name ?? null)}::text[],
        ${planned.map(({ request }) => request.template?.revision ?? null)}::text[],
        ${planned.map(({ request }) => request.category ?? null)}::text[],
        ${planned.map(({ request }) => JSON.stringify(request.metadata))}::text[],
        ${planned.map(({ traceparent }) => traceparent ?? null)}::text[],
        ${planned.map(({ request }) => request.accepted_at)}::timestamptz[],
        ${planned.map(({ request }) => request.expires_at ?? null)}::timestamptz[]
      ) AS t (id, tenant, body_hash, template, revision, category, metadata, traceparent, accepted_at, expires_at)
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
  const rows = [...byId.values()]
  const statusOf = ({ result }: PlannedDelivery) => (result.kind === 'skip' ? result.status : 'queued')
  const reasonOf = ({ result }: PlannedDelivery) => (result.kind === 'skip' ? result.reason : null)
  // Arrays rather than rows of parameters: a fan-out may exceed the 65,535 parameters of one statement.
  return sql`
    INSERT INTO deliveries (
      id, notification_id, tenant, channel, channel_type, recipient, user_id, status, reason, expires_at, created_at, updated_at
    )
    SELECT *, clock_timestamp(), clock_timestamp() FROM unnest(
      ${rows.map(({ delivery }) => delivery.id)}::uuid[],
      ${rows.map(({ request }) => request.id)}::uuid[],
      ${rows.map(({ request }) => request.tenant)}::text[],
      ${rows.map(({ delivery }) => delivery.channel)}::text[],
      ${rows.map(({ delivery }) => delivery.channelType)}::text[],
      ${rows.map(({ delivery }) => delivery.recipient)}::text[],
      ${rows.map(({ delivery }) => delivery.userId)}::text[],
      ${rows.map(({ delivery }) => statusOf(delivery))}::text[],
      ${rows.map(({ delivery }) => reasonOf(delivery))}::text[],
      ${rows.map(({ delivery }) => delivery.expiresAt ?? null)}::timestamptz[]
    ) AS t (id, notification_id) ${only}
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, updated_at = excluded.updated_at
    WHERE deliveries.status = 'queued' AND deliveries.attempt = 0 AND excluded.status <> 'queued'`
}
