import type { FastifyInstance } from 'fastify'
import type { FieldError } from './problem.ts'

/** Deep enough for any real document, and far from what exhausts the stack of whoever walks it. */
const maxDepth = 32

/** Reads `application/json` and nothing else, so a form on another site cannot post here without the browser asking first. */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, parse)
}

/**
 * The first place of a JSON value that we could not keep as it is: nested too deeply, or text that PostgreSQL cannot
 * store (NUL, half a surrogate pair). Walks without recursion, since the depth is what is not yet known.
 */
export function findUnusable(value: unknown): FieldError | undefined {
  const waiting = [{ value, pointer: '', depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, pointer, depth } = next
    if (typeof value === 'string' && !isStorable(value)) return unusableText(pointer)
    if (typeof value !== 'object' || value === null) continue
    if (depth === maxDepth) {
      return { pointer, code: 'too_deep', detail: `must be nested at most ${maxDepth} levels deep` }
    }
    for (const [key, entry] of Object.entries(value)) {
      if (!isStorable(key)) return unusableText(pointer)
      if (typeof entry === 'string' || typeof entry === 'object')
        waiting.push({ value: entry, pointer: `${pointer}/${escapePointer(key)}`, depth: depth + 1 })
    }
  }
  return undefined
}

/** A key as a part of a JSON Pointer (RFC 6901, section 3). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function unusableText(pointer: string): FieldError {
  return { pointer, code: 'unusable_text', detail: 'must not hold NUL or half of a surrogate pair' }
}
