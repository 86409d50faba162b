const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

export interface Termination {
  /** Aborted by the first SIGTERM or SIGINT. */
  signal: AbortSignal
  /** Resolves then. */
  requested: Promise<void>
}

/** The first SIGTERM or SIGINT asks the process to stop in order; a second one ends it at once, with the exit code of shells. */
export function awaitTermination(): Termination {
  const controller = new AbortController()
  const { promise: requested, resolve } = Promise.withResolvers<void>()
  for (const [name, exitCode] of Object.entries(exitCodes)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode)
      controller.abort()
      resolve()
    })
  }
  return { signal: controller.signal, requested }
}
