import { type Kysely, sql } from 'kysely'
import type { UserProfile } from '../notification/user-profile.ts'
import type { Database } from './schema.ts'

export interface StoredUser {
  profile: UserProfile
  createdAt: Date
  updatedAt: Date
}

/** Creates a user, or replaces the whole profile of one. */
export async function putUser(
  db: Kysely<Database>,
  { tenant, id, profile, now }: { tenant: string; id: string; profile: UserProfile; now: Date },
): Promise<{ created: boolean; user: StoredUser }> {
  const row = await db
    .insertInto('users')
    .values({ tenant, id, profile: JSON.stringify(profile), created_at: now, updated_at: now })
    .onConflict((conflict) =>
      conflict.columns(['tenant', 'id']).doUpdateSet((eb) => ({
        profile: eb.ref('excluded.profile'),
        updated_at: eb.ref('excluded.updated_at'),
      })),
    )
    // A row version that no transaction has yet replaced or locked was inserted, not updated.
    .returning(['profile', 'created_at', 'updated_at', sql<boolean>`xmax = 0`.as('created')])
    .executeTakeFirstOrThrow()
  return { created: row.created, user: toUser(row) }
}

/** The profile of a user; `undefined` where there is none. */
export async function getUser(
  db: Kysely<Database>,
  tenant: string,
  id: string,
): Promise<StoredUser | undefined> {
  const row = await db
    .selectFrom('users')
    .select(['profile', 'created_at', 'updated_at'])
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toUser(row)
}

/** The profiles of those of the users that exist, in one read. */
export async function getUsers(
  db: Kysely<Database>,
  tenant: string,
  ids: readonly string[],
): Promise<Map<string, UserProfile>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('users')
    .select(['id', 'profile'])
    .where('tenant', '=', tenant)
    .where('id', '=', (eb) => eb.fn.any(sql.val(ids)))
    .execute()
  return new Map(rows.map(({ id, profile }) => [id, profile]))
}

function toUser(row: { profile: UserProfile; created_at: Date; updated_at: Date }): StoredUser {
  return { profile: row.profile, createdAt: row.created_at, updatedAt: row.updated_at }
}
