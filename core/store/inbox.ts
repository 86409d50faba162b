import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'

export interface InboxMessage {
  /** Rises with time; unique over all users. */
  sequence: number
  deliveryId: string
  title: string
  body: string
  actionUrl: string | null
  createdAt: Date
  readAt: Date | null
}

export interface InboxPage {
  /** Newest first. */
  messages: InboxMessage[]
  /** The `before` of the next page; absent on the last one. */
  next?: number
}

/**
 * A page of a user's inbox, newest first. Pages follow the sequence and not an offset, so a message that arrives meanwhile
 * moves none of the others to another page.
 */
export async function listInbox(
  db: Kysely<Database>,
  { tenant, userId, limit, before }: { tenant: string; userId: string; limit: number; before?: number },
): Promise<InboxPage> {
  const rows = await db
    .selectFrom('inbox')
    .select(['id', 'delivery_id', 'title', 'body', 'action_url', 'created_at', 'read_at'])
    .where('tenant', '=', tenant)
    .where('user_id', '=', userId)
    .$if(before !== undefined, (query) => query.where('id', '<', before!))
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  const messages = rows.slice(0, limit).map((row) => ({
    sequence: row.id,
    deliveryId: row.delivery_id,
    title: row.title,
    body: row.body,
    actionUrl: row.action_url,
    createdAt: row.created_at,
    readAt: row.read_at,
  }))
  const last = messages.at(-1)
  return { messages, ...(rows.length > limit && last && { next: last.sequence }) }
}
