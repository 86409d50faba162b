import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { copyFile, truncate } from 'node:fs/promises'
import type { Logger } from '../../observability/logger.ts'

const maxBytes = 5 * 1024 * 1024

export interface ServerLog {
  /** For the server to append to. It is a file, not a pipe to us: what the server says last is there even when we are not. */
  descriptor: number
  /** What was written since the log was opened. */
  read(): string
  close(): void
}

/** Opens the server's log at `path`, kept below twice 5 MiB: the full file moves to `path.1`. It is looked at once a minute. */
export async function openServerLog(path: string, logger: Logger): Promise<ServerLog> {
  const descriptor = openSync(path, 'a', 0o600)
  const begun = (await turnOver()) ? 0 : fstatSync(descriptor).size
  const timer = setInterval(() => {
    turnOver().catch((error: unknown) => logger.warn({ err: error }, 'The log of PostgreSQL cannot be cut'))
  }, 60_000)
  timer.unref()

  async function turnOver(): Promise<boolean> {
    if (fstatSync(descriptor).size < maxBytes) return false
    await copyFile(path, `${path}.1`)
    await truncate(path)
    return true
  }

  return {
    descriptor,
    read: () => readFileSync(path).subarray(begun).toString(),
    close() {
      clearInterval(timer)
      closeSync(descriptor)
    },
  }
}
