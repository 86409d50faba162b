import type { Clock } from '../../core/clock.ts'

/**
 * Spreads work evenly: after `count` records the next may go `count / rate` seconds later. Nothing is saved up, so that a pause is not
 * followed by a burst.
 */
export function createPacer(rate: number, clock: Pick<Clock, 'monotonic'>) {
  let free = -Infinity
  return {
    /** Takes room for so many records; answers the milliseconds to wait before they may go. */
    take(count: number): number {
      const now = clock.monotonic()
      const start = Math.max(now, free)
      free = start + (count / rate) * 1_000
      return start - now
    },
  }
}
