import { readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { userProfileSchema } from '../../core/notification/user-profile.ts'
import type { Database } from '../../core/store/schema.ts'

const users = z
  .record(z.string(), userProfileSchema)
  .parse(JSON.parse(readFileSync(new URL('users.json', import.meta.url), 'utf8')))

/** Makes the users of `users.json` where they do not exist: what was changed over the API since the first start stays. */
export async function makeSampleUsers(db: Kysely<Database>, tenant: string, now: Date): Promise<void> {
  const rows = Object.entries(users).map(([id, profile]) => ({
    tenant,
    id,
    profile: JSON.stringify(profile),
    created_at: now,
    updated_at: now,
  }))
  await db
    .insertInto('users')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['tenant', 'id']).doNothing())
    .execute()
}
