/**
 * The signal under which a reconciliation that failed may yet say so: none of its own, unless the whole operator ends. One that ran out of time could say nothing
 * under its own signal.
 */
export function signalToTell(signal: AbortSignal): AbortSignal | undefined {
  if (!signal.aborted) return signal
  const isTimeout = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
  return isTimeout ? AbortSignal.timeout(tellTimeout) : undefined
}

/** Milliseconds. */
const tellTimeout = 10_000
