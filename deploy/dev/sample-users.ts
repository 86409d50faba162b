import { existsSync, readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { userProfileSchema } from '../../core/notification/user-profile.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'
import type { Database } from '../../core/store/schema.ts'

const usersFile = z.record(z.string(), userProfileSchema)

/**
 * Makes the users of a file, `{id: profile}`, where they do not exist: what was changed over the API since the first start stays. A
 * file that does not exist has none.
 */
export async function makeSampleUsers(
  db: Kysely<Database>,
  file: string,
  tenant: string,
  now: Date,
): Promise<void> {
  if (!existsSync(file)) return
  const users = Object.entries(readUsers(file))
  if (users.length === 0) return
  await db
    .insertInto('users')
    .values(
      users.map(([id, profile]) => ({
        tenant,
        id,
        profile: JSON.stringify(profile),
        created_at: now,
        updated_at: now,
      })),
    )
    .onConflict((conflict) => conflict.columns(['tenant', 'id']).doNothing())
    .execute()
}

function readUsers(file: string): z.output<typeof usersFile> {
  try {
    return usersFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const detail =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)[0]
        : (error as Error).message
    throw new StartRefused(`${file}: ${detail}`, 1, { cause: error })
  }
}
