import { type Kysely, sql } from 'kysely'
import type { DeliveryStatus, Reason } from '../../../core/notification/status.ts'
import { prepared } from '../../../core/store/prepared.ts'
import type { Database } from '../../../core/store/schema.ts'
import { type AttemptRef, type ClaimRequest, type ClaimResult, maxClaims } from './ledger.ts'

interface ClaimRow {
  id: string
  verdict: 'claim' | 'only_alone' | 'busy' | 'settled' | 'stale'
  claim: number
  uncounted: number
  cancelled: boolean
  status: DeliveryStatus
  reason: Reason | null
  due_at: Date | null
  wait: number
}

/** Claims in one statement; answers one result per request, in order. */
export async function claimBatch(
  db: Kysely<Database>,
  workerId: string,
  items: ClaimRequest[],
): Promise<ClaimResult[]> {
  // Of several records of one delivery the newest is asked for; the others ask again after it.
  const newest = new Map<string, ClaimRequest>()
  for (const item of items) {
    const other = newest.get(item.id)
    if (other === undefined || isNewer(item, other)) newest.set(item.id, item)
  }
  const unique = [...newest.values()]
  // Rows are locked in the order of their ids, so that two batches cannot wait for each other. Each is looked up by itself: as a join, which
  // PostgreSQL reads as it estimates best, a batch would scan the table while that is small, or half full of what is being sent.
  const { rows } = await sql<ClaimRow>`${prepared('claim')}
    WITH input AS (
      SELECT id, "replayEpoch" AS in_epoch, attempt AS in_attempt, "leaseMilliseconds" AS in_lease,
        coalesce(alone, false) AS in_alone
      FROM json_to_recordset(${JSON.stringify(unique)}) AS t (
        id uuid, "replayEpoch" int, attempt int, "leaseMilliseconds" int, alone bool
      )
    ), locked AS (
      SELECT d.*, i.in_epoch, i.in_attempt, i.in_lease, i.in_alone
      FROM (SELECT * FROM input ORDER BY id) i
      CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE id = i.id FOR UPDATE) d
    ), judged AS (
      SELECT *, CASE
        WHEN (in_epoch, in_attempt) < (replay_epoch, attempt) THEN 'stale'
        WHEN status = 'sending' AND lease_until > clock_timestamp() THEN 'busy'
        WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) AND status IN ('sending', 'queued')
          AND claims = ${maxClaims - 1} AND NOT in_alone THEN 'only_alone'
        WHEN status = 'sending' THEN 'claim'
        WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) AND status = 'queued' THEN 'claim'
        WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) THEN 'settled'
        WHEN status IN ('accepted', 'queued', 'retrying') THEN 'claim'
        WHEN in_epoch > replay_epoch AND status IN ('dead_lettered', 'failed', 'unknown', 'expired', 'bounced') THEN 'claim'
        ELSE 'stale'
      END AS verdict,
      CASE WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) THEN claims + 1 ELSE 1 END AS claim,
      -- A replay begins anew: the attempts of the epochs before count neither way.
      CASE WHEN in_epoch > replay_epoch THEN 0 ELSE uncounted END AS left_uncounted
      FROM locked
    ), claimed AS (
      UPDATE deliveries d SET
        status = 'sending', reason = NULL, due_at = NULL, owner = ${workerId},
        cancel_requested_at = CASE WHEN j.in_epoch = d.replay_epoch THEN d.cancel_requested_at END,
        replay_epoch = j.in_epoch, attempt = j.in_attempt, claims = j.claim, uncounted = j.left_uncounted,
        lease_until = clock_timestamp() + j.in_lease * interval '1 millisecond',
        updated_at = clock_timestamp()
      FROM judged j WHERE d.id = j.id AND j.verdict = 'claim'
    ), interrupted AS (
      UPDATE attempts a SET outcome = 'interrupted', finished_at = clock_timestamp()
      FROM judged j
      WHERE j.verdict = 'claim' AND j.status = 'sending' AND a.delivery_id = j.id
        AND a.replay_epoch = j.replay_epoch AND a.attempt = j.attempt AND a.claim = j.claims AND a.outcome IS NULL
    ), logged AS (
      INSERT INTO attempts (delivery_id, replay_epoch, attempt, claim, owner, claimed_at)
      SELECT id, in_epoch, in_attempt, claim, ${workerId}, clock_timestamp() FROM judged WHERE verdict = 'claim'
      ON CONFLICT (delivery_id, replay_epoch, attempt, claim) DO UPDATE SET
        owner = excluded.owner, claimed_at = excluded.claimed_at,
        finished_at = NULL, outcome = NULL, provider = NULL, code = NULL, detail = NULL
    )
    SELECT id, verdict, claim, left_uncounted AS uncounted,
      in_epoch = replay_epoch AND cancel_requested_at IS NOT NULL AS cancelled, status, reason, due_at,
      greatest(0, ceil(extract(epoch FROM lease_until - clock_timestamp()) * 1000))::int AS wait
    FROM judged`.execute(db)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return items.map((item) => {
    const row = byId.get(item.id)
    if (newest.get(item.id) !== item) return { kind: 'busy', milliseconds: 0 }
    return row === undefined ? { kind: 'missing' } : toResult(row)
  })
}

function isNewer(left: AttemptRef, right: AttemptRef): boolean {
  return left.replayEpoch === right.replayEpoch
    ? left.attempt > right.attempt
    : left.replayEpoch > right.replayEpoch
}

function toResult(row: ClaimRow): ClaimResult {
  switch (row.verdict) {
    case 'claim':
      return {
        kind: 'claimed',
        claim: row.claim,
        uncounted: row.uncounted,
        ...(row.cancelled && { cancelled: true }),
      }
    case 'only_alone':
      return { kind: 'only_alone' }
    case 'busy':
      return { kind: 'busy', milliseconds: row.wait }
    case 'settled':
      return { kind: 'settled', status: row.status, reason: row.reason, dueAt: row.due_at }
    case 'stale':
      return { kind: 'stale' }
  }
}
