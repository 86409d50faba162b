import { type Clock, sleep, type Timers } from './clock.ts'

/** Answers what waits until so many milliseconds have passed since it last let go. It serves one waiter at a time, and lets the first go at once. */
export function createPace(milliseconds: number, clock: Clock & Timers): () => Promise<void> {
  let lastAt = -Infinity
  return async () => {
    const early = lastAt + milliseconds - clock.monotonic()
    if (early > 0) await sleep(clock, early)
    lastAt = clock.monotonic()
  }
}
