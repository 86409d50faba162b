import { type Kysely, type Selectable, sql } from 'kysely'
import {
  type AttemptTable,
  type Database,
  type DeliveryTable,
  type NotificationTable,
  unknownBody,
} from './schema.ts'

export interface NotificationHistory {
  notification: Selectable<NotificationTable>
  /** In order of channel and recipient. */
  deliveries: DeliveryHistory[]
}

export type DeliveryHistory = Selectable<DeliveryTable> & {
  /** In the order in which they were claimed. */
  attempts: Selectable<AttemptTable>[]
}

/** A notification with its deliveries and their attempts; `undefined` until the planner has recorded it. */
export async function readNotification(
  db: Kysely<Database>,
  tenant: string,
  id: string,
): Promise<NotificationHistory | undefined> {
  const notification = await db
    .selectFrom('notifications')
    .selectAll()
    .where('id', '=', id)
    .where('tenant', '=', tenant)
    .executeTakeFirst()
  if (notification === undefined) return undefined
  const [deliveries, attempts] = await Promise.all([
    db
      .selectFrom('deliveries')
      .selectAll()
      .where('notification_id', '=', id)
      .orderBy('channel')
      .orderBy('recipient')
      .execute(),
    db
      .selectFrom('attempts')
      .innerJoin('deliveries', 'deliveries.id', 'attempts.delivery_id')
      .selectAll('attempts')
      .where('deliveries.notification_id', '=', id)
      .orderBy('attempts.replay_epoch')
      .orderBy('attempts.attempt')
      .orderBy('attempts.claim')
      .execute(),
  ])
  const byDelivery = Map.groupBy(attempts, ({ delivery_id }) => delivery_id)
  return {
    notification,
    deliveries: deliveries.map((delivery) => ({ ...delivery, attempts: byDelivery.get(delivery.id) ?? [] })),
  }
}

/** What a repeated request is compared with, and answered from. */
export interface RecordedRequest {
  /** SHA-256 of the canonical body, hex. */
  bodyHash: string
  acceptedAt: Date
  template: { name: string; revision: string } | undefined
  /** In order of name. */
  channels: string[]
}

/** Of the given notifications those that are recorded, in one read. One of whose body nothing is known is none: a repeat is accepted, and planned once. */
export async function findRecordedRequests(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<Map<string, RecordedRequest>> {
  const rows = await db
    .selectFrom('notifications as n')
    .select(['n.id', 'n.body_hash', 'n.accepted_at', 'n.template', 'n.template_revision'])
    .select((eb) =>
      eb
        .selectFrom('deliveries as d')
        .select(sql<string[]>`coalesce(array_agg(DISTINCT d.channel), '{}')`.as('channels'))
        .whereRef('d.notification_id', '=', 'n.id')
        .as('channels'),
    )
    .where('n.id', '=', (eb) => eb.fn.any(sql.val(ids)))
    .where('n.body_hash', '<>', unknownBody)
    .execute()
  return new Map(
    rows.map((row) => [
      row.id,
      {
        bodyHash: row.body_hash.toString('hex'),
        acceptedAt: row.accepted_at,
        template:
          row.template === null || row.template_revision === null
            ? undefined
            : { name: row.template, revision: row.template_revision },
        channels: row.channels ?? [],
      },
    ]),
  )
}
