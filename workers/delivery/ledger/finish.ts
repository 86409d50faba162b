import { type Kysely, sql } from 'kysely'
import type { Database } from '../../../core/store/schema.ts'
import type { Finished, FinishEntry } from './ledger.ts'

/**
 * Records outcomes in one statement, with what is to be committed with them; answers what became of each, in order. `queued` gives a
 * claim back as if it had not been made: the same attempt may be claimed again, and its entry in the log is then written anew.
 */
export async function finishBatch(
  db: Kysely<Database>,
  workerId: string,
  items: FinishEntry[],
): Promise<Finished[]> {
  if (items.every(({ commitWith }) => commitWith === undefined)) return writeOutcomes(db, workerId, items)
  return db.transaction().execute(async (transaction) => {
    const finished = await writeOutcomes(transaction, workerId, items)
    for (const [index, { commitWith }] of items.entries())
      if (finished[index] !== 'lost') await commitWith?.(transaction)
    return finished
  })
}

async function writeOutcomes(
  db: Kysely<Database>,
  workerId: string,
  items: FinishEntry[],
): Promise<Finished[]> {
  const { rows } = await sql<{ n: number; cancelled: boolean }>`
    WITH input AS (
      SELECT * FROM unnest(
        ${items.map(({ id }) => id)}::uuid[],
        ${items.map(({ replayEpoch }) => replayEpoch)}::int[],
        ${items.map(({ attempt }) => attempt)}::int[],
        ${items.map(({ claim }) => claim)}::int[],
        ${items.map(({ status }) => status)}::text[],
        ${items.map(({ reason }) => reason)}::text[],
        ${items.map(({ dueAt }) => dueAt)}::timestamptz[],
        ${items.map(({ uncounted }) => (uncounted ? 1 : 0))}::int[],
        ${items.map(({ outcome }) => outcome)}::text[],
        ${items.map(({ provider }) => provider)}::text[],
        ${items.map(({ providerMessageId }) => providerMessageId)}::text[],
        ${items.map(({ code }) => code)}::text[],
        ${items.map(({ detail }) => detail)}::text[]
      ) WITH ORDINALITY AS t (
        id, epoch, attempt, claim, status, reason, due_at, uncounted, outcome, provider, message_id, code, detail, n
      )
    ), locked AS (
      -- What was cancelled while it was being sent is not tried again.
      SELECT i.*, CASE WHEN d.id IS NULL THEN 'lost' ELSE 'held' END AS verdict,
        i.status IN ('queued', 'retrying') AND d.cancel_requested_at IS NOT NULL AS cancelled
      FROM (SELECT * FROM input ORDER BY id) i
      LEFT JOIN LATERAL (
        SELECT id, cancel_requested_at FROM deliveries
        WHERE id = i.id AND status = 'sending' AND owner = ${workerId}
          AND replay_epoch = i.epoch AND attempt = i.attempt AND claims = i.claim
        FOR UPDATE
      ) d ON true
    ), finished AS (
      UPDATE deliveries d SET
        status = CASE WHEN l.cancelled THEN 'cancelled' ELSE l.status END,
        reason = CASE WHEN NOT l.cancelled THEN l.reason END,
        due_at = CASE WHEN NOT l.cancelled THEN l.due_at END,
        uncounted = d.uncounted + l.uncounted,
        claims = d.claims - CASE l.status WHEN 'queued' THEN 1 ELSE 0 END,
        provider = coalesce(l.provider, d.provider), provider_message_id = coalesce(l.message_id, d.provider_message_id),
        owner = NULL, lease_until = NULL, updated_at = clock_timestamp()
      FROM locked l WHERE d.id = l.id AND l.verdict = 'held'
    ), logged AS (
      UPDATE attempts a SET
        finished_at = clock_timestamp(), outcome = l.outcome, provider = l.provider, code = l.code, detail = l.detail
      FROM locked l
      WHERE l.verdict = 'held'
        AND a.delivery_id = l.id AND a.replay_epoch = l.epoch AND a.attempt = l.attempt AND a.claim = l.claim
    )
    SELECT n, cancelled FROM locked WHERE verdict = 'held'`.execute(db)
  const held = new Map(rows.map(({ n, cancelled }) => [n, cancelled ? 'cancelled' : 'recorded'] as const))
  return items.map((_item, index) => held.get(index + 1) ?? 'lost')
}
