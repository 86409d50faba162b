import { type Kysely, sql } from 'kysely'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
import { type Database, unknownBody } from '../../core/store/schema.ts'
import type { PlannedDelivery } from './expand.ts'

export interface PlannedRequest {
  request: RequestEnvelope
  traceparent: string | undefined
  deliveries: PlannedDelivery[]
}

/**
 * Records requests and their deliveries, in one transaction and a handful of statements. Answers which of the requests are
 * to be sent: all but those that came with a known id and another body. What is already there is left as it is, so a batch may be
 * recorded again after a crash. Only a delivery that was never claimed and that by now cannot be sent (its channel or address is
 * gone) ends: no record of it may exist.
 */
export async function recordRequests(
  db: Kysely<Database>,
  planned: readonly PlannedRequest[],
): Promise<PlannedRequest[]> {
  return db.transaction().execute(async (transaction) => {
    const conflicting = await insertNotifications(transaction, planned)
    const accepted = planned.filter(({ request }) => !conflicting.has(keyOf(request)))
    await insertDeliveries(transaction, accepted)
    return accepted
  })
}

const keyOf = ({ id, body_hash }: RequestEnvelope) => `${id}/${body_hash}`

async function insertNotifications(
  db: Kysely<Database>,
  planned: readonly PlannedRequest[],
): Promise<Set<string>> {
  // Within a batch the first of an id wins, as it would in two batches.
  const first = new Map<string, PlannedRequest>()
  for (const entry of planned) if (!first.has(entry.request.id)) first.set(entry.request.id, entry)
  const entries = [...first.values()].toSorted((left, right) => (left.request.id < right.request.id ? -1 : 1))
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
  // A client's repeat may share the batch with the first; PostgreSQL takes a row once per statement.
  const byId = new Map(
    planned.flatMap(({ request, deliveries }) =>
      deliveries.map((delivery) => [delivery.id, { request, delivery }] as const),
    ),
  )
  const rows = [...byId.values()]
  if (rows.length === 0) return
  const statusOf = ({ result }: PlannedDelivery) => (result.kind === 'skip' ? result.status : 'queued')
  const reasonOf = ({ result }: PlannedDelivery) => (result.kind === 'skip' ? result.reason : null)
  // Arrays rather than rows of parameters: a fan-out may exceed the 65,535 parameters of one statement.
  await sql`
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
    )
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, updated_at = excluded.updated_at
    WHERE deliveries.status = 'queued' AND deliveries.attempt = 0 AND excluded.status <> 'queued'`.execute(db)
}
