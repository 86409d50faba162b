/** Time as a dependency. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds on a clock that never jumps: for how long something took, or still may take. */
  monotonic(): number
}

/** Waiting as a dependency: what acts on a clock that a test moves by hand must also wait on it. */
export interface Timers {
  /** Calls back once, after so many milliseconds. The function it answers calls that off, also when it is too late. */
  after(milliseconds: number, callback: () => void): () => void
}

export const systemClock: Clock & Timers = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Resolves after so many milliseconds, or at the abort if that comes first. Never rejects. */
export function sleep(timers: Timers, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const end = () => {
      callOff()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const callOff = timers.after(milliseconds, end)
    signal?.addEventListener('abort', end, { once: true })
  })
}
