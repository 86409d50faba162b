import { sleep, type Timers } from './clock.ts'

export interface RetryOptions {
  clock: Timers
  /** Milliseconds between a failure and the next try, by how many failures there have been: 1 or more. */
  pauseAfter: (failures: number) => number
  /** Hears of every failure, and of the pause that follows. Throws those that no waiting mends. */
  onFailure: (error: unknown, pause: number) => void
}

/**
 * Does work that is safe to repeat until it succeeds. Rejects with what `onFailure` throws, and with the signal's reason when that is
 * aborted before a try.
 */
export async function retry<T>(
  work: () => Promise<T>,
  { clock, pauseAfter, onFailure }: RetryOptions,
  signal: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted()
    const pause = pauseAfter(failures)
    try {
      return await work()
    } catch (error) {
      onFailure(error, pause)
    }
    await sleep(clock, pause, signal)
  }
}

/** Pauses that double with every failure, in milliseconds. */
export function doubling(first: number, longest: number): (failures: number) => number {
  return (failures) => Math.min(longest, first * 2 ** (failures - 1))
}
