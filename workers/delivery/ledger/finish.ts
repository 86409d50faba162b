import { type Kysely, sql } from 'kysely'
import { prepared } from '../../../core/store/prepared.ts'
import type { Database } from '../../../core/store/schema.ts'
import { storableText } from '../../../core/store/storable-text.ts'
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
  const numbered = items.map(({ providerMessageId, detail, ...item }, n) => ({
    n,
    ...item,
    // Words of providers and templates.
    providerMessageId: providerMessageId && storableText(providerMessageId),
    detail: detail && storableText(detail),
  }))
  const { rows } = await sql<{ n: number; cancelled: boolean }>`${prepared('finish')}
    WITH input AS (
      SELECT n, id, "replayEpoch" AS epoch, attempt, claim, status, reason, "dueAt" AS due_at, uncounted, outcome, provider,
        "providerMessageId" AS message_id, code, detail
      FROM json_to_recordset(${JSON.stringify(numbered)}) AS t (
        n int, id uuid, "replayEpoch" int, attempt int, claim int, status text, reason text, "dueAt" timestamptz,
        uncounted bool, outcome text, provider text, "providerMessageId" text, code text, detail text
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
        uncounted = d.uncounted + l.uncounted::int,
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
  return items.map((_item, index) => held.get(index) ?? 'lost')
}
