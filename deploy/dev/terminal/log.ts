import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { logLevels } from '../../../core/settings/values.ts'

const maxBytes = 20_000_000

const entry = z.object({
  level: z.enum(logLevels),
  msg: z.string().optional(),
  channel: z.string().optional(),
  /** Why a circuit is open. */
  lastFailure: z.string().nullish(),
  err: z.object({ message: z.string().optional() }).optional(),
})

export interface DevLog {
  file: string
  /** Takes lines of the logger: JSON, one at a call. */
  write(line: string): void
  close(): void
}

/**
 * Keeps the whole log as JSON in `<directory>/carillon.log`, with one older file of 20 MB beside it, and shows people
 * only what needs them: warnings and errors, as one line each. Written at once, so that a crash has its last words in the file.
 */
export function openDevLog(
  directory: string,
  show: (text: string, urgency: 'WARNING' | 'ERROR') => void,
): DevLog {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'carillon.log')
  let descriptor = open()
  let size = fstatSync(descriptor).size
  let failed = false

  function open(): number {
    return openSync(file, 'a', 0o600)
  }

  function append(line: string): void {
    if (size > maxBytes) {
      closeSync(descriptor)
      renameSync(file, `${file}.1`)
      descriptor = open()
      size = 0
    }
    size += writeSync(descriptor, line)
  }

  return {
    file,
    write(line) {
      try {
        append(line)
        failed = false
      } catch (error) {
        // A full disk must not end the program that can say so; saying it once is enough.
        if (!failed) show(`cannot write the log: ${(error as Error).message}`, 'ERROR')
        failed = true
      }
      const { level, msg, channel, lastFailure, err } = entry.parse(JSON.parse(line))
      if (level === 'WARNING' || level === 'ERROR') {
        show([channel, msg, lastFailure, err?.message].filter(Boolean).join(': '), level)
      }
    },
    close() {
      closeSync(descriptor)
    },
  }
}
