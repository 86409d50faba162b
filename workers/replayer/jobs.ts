import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { ReplayPositions, SkippedCounts } from '../../core/notification/replay.ts'
import type { Replay } from '../../core/store/replays.ts'
import type { Database } from '../../core/store/schema.ts'

export interface Progress {
  replayed: number
  skipped: SkippedCounts
  /** `null` until the ends are noted. */
  positions: ReplayPositions | null
}

export type EndStatus = 'completed' | 'paused' | 'failed'

/**
 * A replay that is ours to work on, for as long as its lease is renewed. All writes are guarded by it, so a worker that was frozen, or whose
 * replay was cancelled, learns so at its next write and stops; what it wrote to the topics meanwhile is dropped at the claim.
 */
export interface Job {
  replay: Replay
  /** Notes progress and renews the lease. False when the replay is no longer ours. */
  save(progress: Progress): Promise<boolean>
  /** Notes progress and ends the work on it. */
  end(progress: Progress, status: EndStatus, reason?: string): Promise<void>
  /** Gives it back for another worker to take at once. */
  release(): Promise<void>
}

/** Milliseconds for which a replay is left to a worker that says nothing. */
const lease = 30_000

const now = sql<Date>`clock_timestamp()`
const leaseUntil = sql<Date>`clock_timestamp() + ${sql.lit(lease)} * interval '1 millisecond'`

/** Takes the oldest replay that waits, or whose worker has not renewed its lease. */
export async function takeJob(db: Kysely<Database>): Promise<Job | undefined> {
  // Of this taking, not of this process: one that was frozen may take its own replay again.
  const owner = randomUUID()
  const replay = await db
    .updateTable('replays')
    .set((eb) => ({
      status: 'running',
      owner,
      lease_until: leaseUntil,
      started_at: eb.fn.coalesce('started_at', now),
      updated_at: now,
    }))
    .where('id', '=', (eb) =>
      eb
        .selectFrom('replays')
        .select('id')
        .where((where) =>
          where.or([
            where('status', '=', 'pending'),
            where.and([where('status', '=', 'running'), where('lease_until', '<', now)]),
          ]),
        )
        .orderBy('sequence')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .executeTakeFirst()
  if (replay === undefined) return undefined

  const ours = () =>
    db
      .updateTable('replays')
      .where('id', '=', replay.id)
      .where('owner', '=', owner)
      .where('status', '=', 'running')
      .set({ updated_at: now })
  const columns = ({ replayed, skipped, positions }: Progress) => ({
    replayed,
    skipped: JSON.stringify(skipped),
    positions: positions && JSON.stringify(positions),
  })
  return {
    replay,
    async save(progress) {
      const { numUpdatedRows } = await ours()
        .set({ ...columns(progress), lease_until: leaseUntil })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    async end(progress, status, reason) {
      await ours()
        .set({
          ...columns(progress),
          status,
          reason: reason ?? null,
          owner: null,
          lease_until: null,
          ...(status !== 'paused' && { finished_at: now }),
        })
        .execute()
    },
    async release() {
      await ours().set({ status: 'pending', owner: null, lease_until: null }).execute()
    },
  }
}
