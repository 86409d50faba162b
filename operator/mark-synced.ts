import { type Clock, sleep, type Timers } from '../core/clock.ts'
import type { Logger } from '../core/observability/logger.ts'
import { longestBackoff } from './runtime/controller.ts'

export interface MarkSyncedOptions {
  /** Resolves once every resource that was there at the start is published, or was found to be one that cannot be. */
  settled: Promise<unknown>
  /** Rejects while Kafka is away. */
  probe: () => Promise<unknown>
  mark: () => Promise<void>
  clock: Clock & Timers
  logger: Logger
}

/** Milliseconds for which the marker waits for what fails: an API that answers 503 for ever, for one channel's sake, would be worse than its 422. */
const patience = 300_000
/** Milliseconds within which all that fails is tried again. */
const oneTryMore = 2 * longestBackoff
const pause = 5_000

/**
 * Marks the catalog as synced when what was there at the start is in it. Until then the API answers 503, and nobody takes what is missing for deleted: so
 * what fails for a while is waited for. Never rejects; a marker that cannot be written is tried again, because an install without it takes no sends.
 */
export async function markSynced(options: MarkSyncedOptions, signal: AbortSignal): Promise<void> {
  const { settled, probe, mark, clock, logger } = options
  const stage = { isSettled: false }
  const wait = (milliseconds: number) => Promise.race([settled, sleep(clock, milliseconds, signal)])
  void settled.then(() => (stage.isSettled = true))
  await wait(patience)
  while (!signal.aborted) {
    try {
      await probe()
      // While Kafka was away everything failed. Now that it answers, only what fails for a reason of its own does.
      await wait(oneTryMore)
      if (signal.aborted) return
      await mark()
      if (!stage.isSettled) logger.warn('The catalog is marked as synced without what fails all the time')
      return
    } catch (error) {
      logger.warn({ err: error }, 'The catalog is not marked as synced; it is tried again')
      await sleep(clock, pause, signal)
    }
  }
}
