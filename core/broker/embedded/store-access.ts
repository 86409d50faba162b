import { setTimeout as sleep } from 'node:timers/promises'
import { doubling } from '../../retry.ts'
import { isDataError } from '../../store/store.ts'
import { BrokerError } from '../broker.ts'

/** Milliseconds that a caller waits for the store before it is told `unavailable`. */
export const STORE_PATIENCE_MS = 5_000

/** The error of a caller whose patience ran out. */
export function storeUnavailable(cause?: unknown): BrokerError {
  return new BrokerError('unavailable', 'the store of the embedded broker does not answer', { cause })
}

/** Milliseconds to wait before try number `failures + 1`. */
export const pauseAfter = doubling(50, 1_000)

/**
 * Does work that is safe to repeat, again and again while the store is away. Rejects with `unavailable` after
 * {@link STORE_PATIENCE_MS}; any other error passes at once.
 */
export async function withPatience<T>(work: () => Promise<T>): Promise<T> {
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), STORE_PATIENCE_MS)
  const exhausted = new Promise<never>((_resolve, reject) => {
    patience.signal.addEventListener('abort', () => reject(storeUnavailable()))
  })
  try {
    return await Promise.race([persist(work, patience.signal), exhausted])
  } finally {
    clearTimeout(timer)
  }
}

async function persist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work()
    } catch (error) {
      if (isDataError(error) || error instanceof BrokerError) throw error
      await sleep(pauseAfter(failures))
      if (signal.aborted) throw storeUnavailable(error)
    }
  }
}
