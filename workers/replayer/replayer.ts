import type { Catalog } from '../../core/catalog/catalog.ts'
import { sleep } from '../../core/clock.ts'
import type { Running } from '../running.ts'
import { takeJob } from './jobs.ts'
import { type ReplayOptions, runReplay } from './run.ts'

export interface ReplayerOptions extends ReplayOptions {
  catalog: Pick<Catalog, 'channels' | 'synced'>
}

/** Replays that one process works on at a time: a slow one must not keep the others waiting. */
const maxReplays = 4
/** Milliseconds between looks for a replay to work on. */
const lookEvery = 1_000

/** Works on replays of dead letters, its own share of those of the install, until it is stopped. */
export function startReplayer(options: ReplayerOptions): Running {
  const { db, catalog, clock, logger } = options
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let away = false

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (!(catalog.synced() && running.size < maxReplays && (await takeOne()))) {
        await sleep(clock, lookEvery, stopping.signal)
      }
    }
  }

  async function takeOne(): Promise<boolean> {
    try {
      const job = await takeJob(db)
      away = false
      if (job === undefined) return false
      const replay = job.replay.id
      logger.info({ replay, matched: job.replay.matched }, 'Replay taken')
      const run = runReplay(job, options, stopping.signal)
        .catch((error: unknown) => logger.error({ err: error, replay }, 'Replay left to its lease'))
        .finally(() => running.delete(run))
      running.add(run)
      return true
    } catch (error) {
      if (!away) logger.warn({ err: error }, 'Replays cannot be looked for')
      away = true
      return false
    }
  }

  const looking = look()
  return {
    ready: () => true,
    failed: new Promise(() => {}),
    async stop() {
      stopping.abort()
      await looking
      await Promise.all(running)
    },
  }
}
