import { type Kysely, sql, type Transaction } from 'kysely'
import type { DeliveryEnvelope } from '../../core/notification/envelope.ts'
import type { FailureClass } from '../../core/notification/failure.ts'
import type { DeliveryStatus, Reason } from '../../core/notification/status.ts'
import { createBatcher } from '../../core/store/batcher.ts'
import type { Database } from '../../core/store/schema.ts'
import { isStoreUnavailable } from '../../core/store/store.ts'

/**
 * The delivery ledger: who may send what, and what became of it. A claim comes before every call of a provider and is a compare-and-set on (replay
 * epoch, attempt), so of several records of one delivery only the newest sends. Claims and outcomes of concurrent deliveries
 * share round trips.
 */
export interface Ledger {
  claim(request: ClaimRequest): Promise<ClaimResult>
  /** Records an outcome. False when the claim is no longer ours: another worker took it over after the lease had run out. */
  finish(entry: FinishEntry): Promise<boolean>
  /** Writes the row of a delivery that has a record and no row: the store lost it, as a failover may. */
  restore(envelope: DeliveryEnvelope): Promise<void>
}

/** Names one attempt at a delivery: what a record asks for. */
export interface AttemptRef {
  id: string
  replayEpoch: number
  attempt: number
}

export interface ClaimRequest extends AttemptRef {
  /** How long the claim holds: longer than everything that may happen under it. */
  leaseMilliseconds: number
}

export type ClaimResult =
  /** `claim` counts the claims of this attempt: above 1, the one before ended without an outcome. */
  | { kind: 'claimed'; claim: number; uncounted: number }
  /** Another worker holds it: look again after the wait. */
  | { kind: 'busy'; milliseconds: number }
  /** The outcome of this very attempt is recorded; what had to follow it may be missing. */
  | { kind: 'settled'; status: DeliveryStatus; reason: Reason | null; dueAt: Date | null }
  /** A newer attempt exists, or the delivery has ended. */
  | { kind: 'stale' }
  | { kind: 'missing' }

export interface FinishEntry extends AttemptRef {
  claim: number
  status: DeliveryStatus
  reason: Reason | null
  dueAt: Date | null
  /** Whether the attempt is left out of `maxAttempts`. */
  uncounted: boolean
  /** `null` when no provider was called. */
  outcome: 'sent' | FailureClass | null
  provider: string | null
  providerMessageId: string | null
  code: string | null
  detail: string | null
  /** Runs in the same transaction, only if the claim still holds. */
  commitWith: ((transaction: Transaction<Database>) => Promise<void>) | undefined
}

const maxBatch = 200

export function openLedger({ db, workerId }: { db: Kysely<Database>; workerId: string }): Ledger {
  return {
    claim: createBatcher({
      maxItems: maxBatch,
      flush: isolating((items: ClaimRequest[]) => claimBatch(db, workerId, items)),
    }),
    finish: createBatcher({
      maxItems: maxBatch,
      flush: isolating((items: FinishEntry[]) => finishBatch(db, workerId, items)),
    }),
    restore: (envelope) => restore(db, envelope),
  }
}

/** An entry that the database refuses must not take those with it that share its batch. */
function isolating<Item, Result>(flush: (items: Item[]) => Promise<Result[]>) {
  return async (items: Item[]): Promise<(Result | Promise<Result>)[]> => {
    try {
      return await flush(items)
    } catch (error) {
      if (items.length === 1 || isStoreUnavailable(error)) throw error
      const results = await Promise.allSettled(items.map((item) => flush([item])))
      return results.map((result) =>
        result.status === 'fulfilled' ? result.value[0]! : Promise.reject(result.reason as Error),
      )
    }
  }
}

interface ClaimRow {
  id: string
  verdict: 'claim' | 'busy' | 'settled' | 'stale'
  claim: number
  uncounted: number
  status: DeliveryStatus
  reason: Reason | null
  due_at: Date | null
  wait: number
}

async function claimBatch(
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
  // Rows are locked in the order of their ids, so that two batches cannot wait for each other.
  const { rows } = await sql<ClaimRow>`
    WITH input AS (
      SELECT * FROM unnest(
        ${unique.map(({ id }) => id)}::uuid[],
        ${unique.map(({ replayEpoch }) => replayEpoch)}::int[],
        ${unique.map(({ attempt }) => attempt)}::int[],
        ${unique.map(({ leaseMilliseconds }) => leaseMilliseconds)}::int[]
      ) AS t (id, in_epoch, in_attempt, in_lease)
    ), locked AS (
      SELECT d.*, i.in_epoch, i.in_attempt, i.in_lease
      FROM deliveries d JOIN input i ON i.id = d.id
      ORDER BY d.id FOR UPDATE OF d
    ), judged AS (
      SELECT *, CASE
        WHEN (in_epoch, in_attempt) < (replay_epoch, attempt) THEN 'stale'
        WHEN status = 'sending' AND lease_until > clock_timestamp() THEN 'busy'
        WHEN status = 'sending' THEN 'claim'
        WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) THEN 'settled'
        WHEN status IN ('accepted', 'queued', 'retrying') THEN 'claim'
        WHEN in_epoch > replay_epoch AND status IN ('dead_lettered', 'failed', 'unknown', 'expired', 'bounced') THEN 'claim'
        ELSE 'stale'
      END AS verdict,
      CASE WHEN (in_epoch, in_attempt) = (replay_epoch, attempt) THEN claims + 1 ELSE 1 END AS claim
      FROM locked
    ), claimed AS (
      UPDATE deliveries d SET
        status = 'sending', reason = NULL, due_at = NULL, owner = ${workerId},
        replay_epoch = j.in_epoch, attempt = j.in_attempt, claims = j.claim,
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
    )
    SELECT id, verdict, claim, uncounted, status, reason, due_at,
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
      return { kind: 'claimed', claim: row.claim, uncounted: row.uncounted }
    case 'busy':
      return { kind: 'busy', milliseconds: row.wait }
    case 'settled':
      return { kind: 'settled', status: row.status, reason: row.reason, dueAt: row.due_at }
    case 'stale':
      return { kind: 'stale' }
  }
}

async function finishBatch(db: Kysely<Database>, workerId: string, items: FinishEntry[]): Promise<boolean[]> {
  if (items.every(({ commitWith }) => commitWith === undefined)) return writeOutcomes(db, workerId, items)
  return db.transaction().execute(async (transaction) => {
    const held = await writeOutcomes(transaction, workerId, items)
    for (const [index, { commitWith }] of items.entries()) if (held[index]) await commitWith?.(transaction)
    return held
  })
}

async function writeOutcomes(
  db: Kysely<Database>,
  workerId: string,
  items: FinishEntry[],
): Promise<boolean[]> {
  const { rows } = await sql<{ n: number }>`
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
      SELECT d.id, i.n FROM deliveries d JOIN input i ON i.id = d.id
      WHERE d.status = 'sending' AND d.owner = ${workerId}
        AND d.replay_epoch = i.epoch AND d.attempt = i.attempt AND d.claims = i.claim
      ORDER BY d.id FOR UPDATE OF d
    ), finished AS (
      UPDATE deliveries d SET
        status = i.status, reason = i.reason, due_at = i.due_at, uncounted = d.uncounted + i.uncounted,
        provider = coalesce(i.provider, d.provider), provider_message_id = coalesce(i.message_id, d.provider_message_id),
        owner = NULL, lease_until = NULL, updated_at = clock_timestamp()
      FROM input i WHERE d.id = i.id AND i.n IN (SELECT n FROM locked)
    ), logged AS (
      UPDATE attempts a SET
        finished_at = clock_timestamp(), outcome = i.outcome, provider = i.provider, code = i.code, detail = i.detail
      FROM input i
      WHERE a.delivery_id = i.id AND a.replay_epoch = i.epoch AND a.attempt = i.attempt AND a.claim = i.claim
        AND i.n IN (SELECT n FROM locked)
    )
    SELECT n FROM locked`.execute(db)
  const held = new Set(rows.map(({ n }) => n))
  return items.map((_item, index) => held.has(index + 1))
}

async function restore(db: Kysely<Database>, envelope: DeliveryEnvelope): Promise<void> {
  const now = new Date()
  const userId = envelope.user?.['id']
  await db
    .insertInto('deliveries')
    .values({
      id: envelope.id,
      notification_id: envelope.notification_id,
      tenant: envelope.tenant,
      channel: envelope.channel,
      channel_type: envelope.channel_type,
      recipient: envelope.recipient,
      user_id: typeof userId === 'string' ? userId : null,
      status: 'queued',
      reason: null,
      owner: null,
      provider: null,
      provider_message_id: null,
      expires_at: envelope.expires_at ?? null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}
