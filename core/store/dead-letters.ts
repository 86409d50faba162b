import { type Kysely, type Selectable, sql } from 'kysely'
import type { DeadLetterFilter } from '../notification/replay.ts'
import type { Reason } from '../notification/status.ts'
import type { AttemptTable, Database, DeliveryTable } from './schema.ts'

/** Dead letters of one tenant. */
export interface DeadLetterScope {
  tenant: string
  filter: DeadLetterFilter
}

export interface DeadLetter {
  /** Rises with time. */
  sequence: number
  deadLetteredAt: Date
  delivery: Selectable<DeliveryTable>
  template: string | null
  category: string | null
  /** Claims in all, replays included. */
  attempts: number
  /** Absent where no provider was ever asked. */
  lastAttempt?: Selectable<AttemptTable>
}

export interface DeadLetterPage {
  /** Newest first. */
  deadLetters: DeadLetter[]
  /** The `before` of the next page; absent on the last one. */
  next?: number
}

/** What one filter means, wherever it is asked: the list, the dry run, and the replay itself. */
function select(db: Kysely<Database>, { tenant, filter }: DeadLetterScope) {
  const { channels, reasons, templates, categories, recipients, notifications, deliveries } = filter
  return db
    .selectFrom('dead_letters as x')
    .innerJoin('deliveries as d', 'd.id', 'x.delivery_id')
    .leftJoin('notifications as n', 'n.id', 'd.notification_id')
    .where('x.tenant', '=', tenant)
    .$if(channels !== undefined, (query) =>
      query.where('x.channel', '=', (eb) => eb.fn.any(sql.val(channels!))),
    )
    .$if(reasons !== undefined, (query) => query.where('d.reason', '=', (eb) => eb.fn.any(sql.val(reasons!))))
    .$if(templates !== undefined, (query) =>
      query.where('n.template', '=', (eb) => eb.fn.any(sql.val(templates!))),
    )
    .$if(categories !== undefined, (query) =>
      query.where('n.category', '=', (eb) => eb.fn.any(sql.val(categories!))),
    )
    .$if(recipients !== undefined, (query) =>
      query.where((eb) =>
        eb.or([
          eb('d.recipient', '=', eb.fn.any(sql.val(recipients!))),
          eb(sql<string>`'user:' || d.user_id`, '=', eb.fn.any(sql.val(recipients!))),
        ]),
      ),
    )
    .$if(notifications !== undefined, (query) =>
      query.where('d.notification_id', '=', (eb) => eb.fn.any(sql.val(notifications!))),
    )
    .$if(deliveries !== undefined, (query) =>
      query.where('d.id', '=', (eb) => eb.fn.any(sql.val(deliveries!))),
    )
    .$if(filter.since !== undefined, (query) =>
      query.where('x.dead_lettered_at', '>=', new Date(filter.since!)),
    )
    .$if(filter.until !== undefined, (query) =>
      query.where('x.dead_lettered_at', '<', new Date(filter.until!)),
    )
}

/** A page of the dead letters that fit, newest first. Pages follow the sequence, so one that arrives meanwhile moves none of the others. */
export async function listDeadLetters(
  db: Kysely<Database>,
  { limit, before, ...scope }: DeadLetterScope & { limit: number; before?: number },
): Promise<DeadLetterPage> {
  const rows = await select(db, scope)
    .selectAll('d')
    .select(['x.sequence', 'x.dead_lettered_at', 'n.template', 'n.category'])
    .$if(before !== undefined, (query) => query.where('x.sequence', '<', before!))
    .orderBy('x.sequence', 'desc')
    .limit(limit + 1)
    .execute()
  const page = rows.slice(0, limit)
  const attempts = await readAttempts(
    db,
    page.map(({ id }) => id),
  )
  const deadLetters = page.map(({ sequence, dead_lettered_at, template, category, ...delivery }) => {
    const made = attempts.get(delivery.id) ?? []
    const lastAttempt = made.at(-1)
    return {
      sequence,
      deadLetteredAt: dead_lettered_at,
      delivery,
      template,
      category,
      attempts: made.length,
      ...(lastAttempt && { lastAttempt }),
    }
  })
  const last = deadLetters.at(-1)
  return { deadLetters, ...(rows.length > limit && last && { next: last.sequence }) }
}

async function readAttempts(
  db: Kysely<Database>,
  ids: string[],
): Promise<Map<string, Selectable<AttemptTable>[]>> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('delivery_id', '=', (eb) => eb.fn.any(sql.val(ids)))
    .orderBy('replay_epoch')
    .orderBy('attempt')
    .orderBy('claim')
    .execute()
  return Map.groupBy(rows, ({ delivery_id }) => delivery_id)
}

export interface DeadLetterCount {
  channel: string
  reason: Reason | null
  count: number
  /** Of these, deliveries whose time is up: they are never sent. */
  expired: number
  /** Of these, those whose record the topic of dead letters does not take yet: it waits here. */
  waiting: number
}

/** How many dead letters fit, by channel and reason, most first. */
export async function countDeadLetters(
  db: Kysely<Database>,
  scope: DeadLetterScope,
): Promise<DeadLetterCount[]> {
  return select(db, scope)
    .leftJoin('held_records as h', (join) =>
      join
        .onRef('h.delivery_id', '=', 'x.delivery_id')
        .onRef('h.replay_epoch', '=', 'd.replay_epoch')
        .on('h.status', '=', 'dead_lettered'),
    )
    .select(['x.channel', 'd.reason'])
    .select([
      sql<number>`count(*)`.as('count'),
      sql<number>`count(*) FILTER (WHERE d.expires_at <= now())`.as('expired'),
      sql<number>`count(h.delivery_id)`.as('waiting'),
    ])
    .groupBy(['x.channel', 'd.reason'])
    .orderBy('count', 'desc')
    .orderBy('x.channel')
    .orderBy('d.reason')
    .execute()
}

export interface ReplayableDelivery {
  replayEpoch: number
  expired: boolean
}

/** Of these deliveries those that are dead letters and fit. */
export async function findDeadLetters(
  db: Kysely<Database>,
  scope: DeadLetterScope,
  ids: string[],
): Promise<Map<string, ReplayableDelivery>> {
  const rows = await select(db, scope)
    .select(['d.id', 'd.replay_epoch'])
    .select(sql<boolean>`coalesce(d.expires_at <= now(), false)`.as('expired'))
    .where('x.delivery_id', '=', (eb) => eb.fn.any(sql.val(ids)))
    .execute()
  return new Map(rows.map(({ id, replay_epoch, expired }) => [id, { replayEpoch: replay_epoch, expired }]))
}

/** Dead letters of every channel that has some, of all tenants. */
export async function countAllDeadLetters(
  db: Kysely<Database>,
): Promise<{ tenant: string; channel: string; count: number }[]> {
  return db
    .selectFrom('dead_letters')
    .select(['tenant', 'channel', sql<number>`count(*)`.as('count')])
    .groupBy(['tenant', 'channel'])
    .execute()
}
