import { type Kysely, sql } from 'kysely'
import { sleep, type Timers } from '../../core/clock.ts'
import { openHeldStore } from '../../core/store/held-store.ts'
import type { Database } from '../../core/store/schema.ts'
import { forgetOld } from './forget.ts'
import type { SweeperMetrics, SweepStep } from './metrics.ts'
import { type Note, sweepOverdue } from './overdue.ts'
import { HeldRelease } from './release.ts'
import { StrandedWalk, type StrandedWalkOptions } from './stranded.ts'
import { type TellOptions, tellUntold } from './tell.ts'

export interface SweeperOptions extends Omit<StrandedWalkOptions, 'patience'>, Omit<TellOptions, 'clock'> {
  db: Kysely<Database>
  clock: StrandedWalkOptions['clock'] & Timers
  /** Milliseconds that notifications are kept after they were accepted. */
  retention: number
  /** As of {@link StrandedWalkOptions}: an hour unless a test cannot wait for it. */
  patience?: number
  metrics: SweeperMetrics
}

/** Milliseconds between rounds. */
const interval = 30_000
/**
 * A record may be written long after its row, while the broker is away; and a channel that was deleted may be applied again, and takes its
 * topics back. An hour is beyond both.
 */
const defaultPatience = 3_600_000
/** Of the advisory lock that lets one sweeper of a database work at a time: the bytes of "carillon". */
const lockKey = '7161130679611977582'

/**
 * Sees to it that every delivery ends, whatever became of its record and its worker, writes what waited for a topic, tells of what ended so, and
 * deletes what is older than the history is kept.
 * Any number may run on one database: one works at a time, and the others would do no harm.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  readonly #stranded: StrandedWalk
  readonly #held: HeldRelease
  readonly #stopping = new AbortController()
  #working: Promise<void> = Promise.resolve()

  constructor(options: SweeperOptions) {
    this.#options = options
    this.#held = new HeldRelease(options)
    this.#stranded = new StrandedWalk({ ...options, patience: options.patience ?? defaultPatience })
  }

  start(): void {
    this.#working = this.#sweepRegularly()
  }

  /** Resolves when the round that is under way has ended, after its present statement. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#working
  }

  /**
   * One round; nothing when another sweeper is at work. A step that fails is counted, and keeps none of the others; the next round goes on where it
   * ended. Rejects when the store is away at its beginning.
   */
  async sweep(): Promise<void> {
    const { db, metrics, logger } = this.#options
    const done = new Map<string, number>()
    const count = (what: string, more: number) => more > 0 && done.set(what, (done.get(what) ?? 0) + more)
    const note: Note = (status, reason, more) => {
      metrics.swept.inc({ status, reason }, more)
      count(status === 'unknown' ? status : reason, more)
    }
    try {
      const swept = await alone(db, async (connection) => {
        const { signal } = this.#stopping
        await this.#step('overdue', () => sweepOverdue(connection, note, signal))
        await this.#step('release', () => this.#release(connection, signal))
        await this.#step('stranded', () => this.#stranded.sweep(connection, note, signal))
        await this.#step('forget', async () => count('forgotten', await this.#forget(connection, signal)))
        await this.#step('tell', () => tellUntold(connection, this.#options, signal))
      })
      // Whoever sweeps instead knows.
      if (!swept) metrics.heldSince.reset()
    } finally {
      if (done.size > 0) logger.info(Object.fromEntries(done), 'Swept')
    }
  }

  async #step(step: SweepStep, work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => this.#noteFailure(step, error))
  }

  #noteFailure(step: SweepStep, error: unknown): void {
    const { metrics, logger } = this.#options
    metrics.failures.inc({ step })
    logger.warn({ err: error, step }, 'A step of the sweep failed; the next round goes on')
  }

  async #release(db: Kysely<Database>, signal: AbortSignal): Promise<void> {
    const { metrics, logger } = this.#options
    const closed = await this.#held.sweep(openHeldStore(db), signal)
    // Only now: a series that is absent for the length of a round would end an alert.
    metrics.heldSince.reset()
    for (const [topic, since] of closed) {
      metrics.heldSince.set({ topic }, since / 1000)
      logger.error({ topic, since: new Date(since) }, 'Deliveries wait for a topic that does not take them')
    }
  }

  async #forget(db: Kysely<Database>, signal: AbortSignal): Promise<number> {
    const { clock, retention, metrics } = this.#options
    const forgotten = await forgetOld(db, new Date(clock.now() - retention), signal)
    metrics.forgotten.inc(forgotten)
    return forgotten
  }

  async #sweepRegularly(): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      await sleep(clock, interval, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      await this.sweep().catch((error: unknown) => this.#noteFailure('begin', error))
    }
  }
}

/** Runs the work on a connection of its own; false when another process is at such work on this database. */
async function alone(
  db: Kysely<Database>,
  work: (connection: Kysely<Database>) => Promise<void>,
): Promise<boolean> {
  return db.connection().execute(async (connection) => {
    const { rows } = await sql<{ mine: boolean }>`
      SELECT pg_try_advisory_lock(${lockKey}::bigint) AS mine`.execute(connection)
    if (rows[0]?.mine !== true) return false
    try {
      await work(connection)
      return true
    } finally {
      // A connection that broke has let go of the lock.
      await sql`SELECT pg_advisory_unlock(${lockKey}::bigint)`.execute(connection).catch(() => {})
    }
  })
}
