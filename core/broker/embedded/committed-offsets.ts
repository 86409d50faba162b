import { type Kysely, sql } from 'kysely'
import type { Database } from '../../store/schema.ts'
import type { Partition } from './topics.ts'
import { WriteQueue } from './write-queue.ts'

/** Positions to commit together, all or none. */
export interface Commit {
  readonly group: string
  readonly positions: ReadonlyMap<Partition, number>
}

/** What one statement writes at most. */
const MAX_COMMITS = 1_000

/** The positions that groups committed: read from the store once, kept in memory, written through. */
export class CommittedOffsets {
  readonly #db: Kysely<Database>
  readonly #groups = new Map<string, Map<number, number>>()
  readonly #queue: WriteQueue<Commit, void>

  private constructor(db: Kysely<Database>) {
    this.#db = db
    this.#queue = new WriteQueue({
      take: ({ length }) => Math.min(MAX_COMMITS, length),
      write: ({ items }) => this.#write(items),
    })
  }

  static async load(db: Kysely<Database>): Promise<CommittedOffsets> {
    const offsets = new CommittedOffsets(db)
    const { rows } = await sql<{ group_name: string; partition_id: number; committed: number }>`
      SELECT group_name, partition_id, committed FROM broker_offsets`.execute(db)
    for (const row of rows) offsets.#positions(row.group_name).set(row.partition_id, row.committed)
    return offsets
  }

  /** The position to read next, or `null` when the group never committed one. */
  get(group: string, { id }: Partition): number | null {
    return this.#groups.get(group)?.get(id) ?? null
  }

  /** Durable once resolved. */
  commit(commit: Commit): Promise<void> {
    return this.#queue.push(commit)
  }

  /** Resolves when nobody waits any more for a commit that was asked for before. */
  settled(): Promise<void> {
    return this.#queue.drained()
  }

  #positions(group: string): Map<number, number> {
    const positions = this.#groups.get(group) ?? new Map<number, number>()
    this.#groups.set(group, positions)
    return positions
  }

  async #write(commits: readonly Commit[]): Promise<void[]> {
    // One row may be written once in a statement: the last commit of a position counts.
    const last = new Map<string, { group: string; id: number; position: number }>()
    for (const { group, positions } of commits) {
      for (const [{ id }, position] of positions) last.set(`${id} ${group}`, { group, id, position })
    }
    const rows = [...last.values()]
    await sql`
      INSERT INTO broker_offsets (group_name, partition_id, committed)
      SELECT * FROM unnest(
        ${rows.map(({ group }) => group)}::text[],
        ${rows.map(({ id }) => id)}::int[],
        ${rows.map(({ position }) => position)}::bigint[])
      ON CONFLICT (group_name, partition_id) DO UPDATE SET committed = excluded.committed`.execute(this.#db)
    for (const { group, id, position } of rows) this.#positions(group).set(id, position)
    return commits.map(() => undefined)
  }
}
