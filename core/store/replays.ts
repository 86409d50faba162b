import { type Kysely, type Selectable, sql } from 'kysely'
import type { DeadLetterFilter, ReplayStatus } from '../notification/replay.ts'
import { countDeadLetters } from './dead-letters.ts'
import type { Database, ReplayTable } from './schema.ts'

export type Replay = Selectable<ReplayTable>

export interface NewReplay {
  tenant: string
  filter: DeadLetterFilter
  /** Records per second. */
  rate: number
  maxRecords: number | null
}

/**
 * Asks for a replay of the dead letters that fit now. What is dead-lettered later is not part of it: a delivery that fails
 * again would otherwise come round and round.
 */
export async function createReplay(
  db: Kysely<Database>,
  { tenant, filter, rate, maxRecords }: NewReplay,
): Promise<Replay> {
  const clock = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(db)
  // A Date has milliseconds only: what came in the last of them belongs to it.
  const now = new Date(clock.rows[0]!.now.getTime() + 1)
  const until = filter.until !== undefined && new Date(filter.until) < now ? filter.until : now.toISOString()
  const bounded = { ...filter, until }
  const counts = await countDeadLetters(db, { tenant, filter: bounded })
  return db
    .insertInto('replays')
    .values({
      id: sql<string>`gen_random_uuid()`,
      tenant,
      filter: JSON.stringify(bounded),
      rate,
      max_records: maxRecords,
      status: 'pending',
      reason: null,
      matched: counts.reduce((sum, { count }) => sum + count, 0),
      owner: null,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** A replay of this tenant; `undefined` where it has none of this id. */
export async function readReplay(
  db: Kysely<Database>,
  tenant: string,
  id: string,
): Promise<Replay | undefined> {
  return db
    .selectFrom('replays')
    .selectAll()
    .where('id', '=', id)
    .where('tenant', '=', tenant)
    .executeTakeFirst()
}

export interface ReplayPage {
  /** Newest first. */
  replays: Replay[]
  /** The `before` of the next page; absent on the last one. */
  next?: number
}

/** The replays of a tenant, newest first. @param page `before`: the `next` of the page before */
export async function listReplays(
  db: Kysely<Database>,
  { tenant, limit, before }: { tenant: string; limit: number; before?: number },
): Promise<ReplayPage> {
  const rows = await db
    .selectFrom('replays')
    .selectAll()
    .where('tenant', '=', tenant)
    .$if(before !== undefined, (query) => query.where('sequence', '<', before!))
    .orderBy('sequence', 'desc')
    .limit(limit + 1)
    .execute()
  const replays = rows.slice(0, limit)
  const last = replays.at(-1)
  return { replays, ...(rows.length > limit && last && { next: last.sequence }) }
}

/** Cancels a replay that has not ended; `undefined` when there is none such. What was written already is delivered all the same. */
export async function cancelReplay(
  db: Kysely<Database>,
  tenant: string,
  id: string,
): Promise<Replay | undefined> {
  return change(db, { tenant, id, from: ['pending', 'running', 'paused'], to: 'cancelled' })
}

/** Lets a paused replay go on where it stopped; `undefined` when there is no paused one. */
export async function resumeReplay(
  db: Kysely<Database>,
  tenant: string,
  id: string,
): Promise<Replay | undefined> {
  return change(db, { tenant, id, from: ['paused'], to: 'pending' })
}

async function change(
  db: Kysely<Database>,
  { tenant, id, from, to }: { tenant: string; id: string; from: ReplayStatus[]; to: 'cancelled' | 'pending' },
): Promise<Replay | undefined> {
  return db
    .updateTable('replays')
    .set({
      status: to,
      reason: null,
      owner: null,
      lease_until: null,
      updated_at: sql<Date>`clock_timestamp()`,
      ...(to === 'cancelled' && { finished_at: sql<Date>`clock_timestamp()` }),
    })
    .where('id', '=', id)
    .where('tenant', '=', tenant)
    .where('status', 'in', from)
    .returningAll()
    .executeTakeFirst()
}
