import { once } from 'node:events'
import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { logLevels } from '../../core/settings/known.ts'

const maxBytes = 20_000_000

const entry = z.object({
  level: z.enum(logLevels),
  msg: z.string().optional(),
  err: z.object({ message: z.string().optional() }).optional(),
})

export interface DevLog {
  file: string
  /** Takes lines of the logger: JSON, one at a call. */
  write(line: string): void
  close(): Promise<void>
}

/**
 * Keeps the whole log as JSON in `<directory>/carillon.log`, with one older file of 20 MB beside it, and shows people
 * only what needs them: warnings and errors, as one line each.
 */
export function openDevLog(
  directory: string,
  show: (text: string, urgency: 'WARNING' | 'ERROR') => void,
): DevLog {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'carillon.log')
  let size = existsSync(file) ? statSync(file).size : 0
  let stream = append()

  function append() {
    const opened = createWriteStream(file, { flags: 'a', mode: 0o600 })
    // A full disk must not end the program that could say so.
    opened.once('error', ({ message }) => show(`cannot write the log: ${message}`, 'ERROR'))
    return opened
  }

  function rotate() {
    stream.end()
    renameSync(file, `${file}.1`)
    stream = append()
    size = 0
  }

  return {
    file,
    write(line) {
      if (size > maxBytes) rotate()
      size += Buffer.byteLength(line)
      stream.write(line)
      const { level, msg, err } = entry.parse(JSON.parse(line))
      if (level === 'WARNING' || level === 'ERROR')
        show([msg, err?.message].filter(Boolean).join(': '), level)
    },
    async close() {
      if (stream.destroyed) return
      stream.end()
      await once(stream, 'close')
    },
  }
}
