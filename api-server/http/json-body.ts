import { isUtf8 } from 'node:buffer'
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify'
import type { FieldError } from './problem.ts'

/** Deep enough for any real document, and far from what exhausts the stack of whoever walks it. */
const maxDepth = 32

/**
 * Reads `application/json` and nothing else, so a form on another site cannot post here without the browser asking first. Text in another
 * encoding than UTF-8 (RFC 8259, section 8.1) is refused: decoded as if it were, it would reach its reader mangled. So is what is
 * compressed (RFC 9110, section 8.4): unpacked it might be of any size. Of what is no JSON the log says how long it was, next to how long its
 * client said.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const { 'content-encoding': coding = 'identity', 'content-length': declared } = request.headers
    if (coding.toLowerCase() !== 'identity') return done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE())
    let result: Parameters<typeof done> | undefined
    // Noted only: what is thrown by whoever it is handed to, Fastify's parser would take for a fault of the text.
    if (isUtf8(body)) void parse(request, body.toString(), (...parsed) => (result = parsed))
    result ??= [new errorCodes.FST_ERR_CTP_INVALID_JSON_BODY(), undefined]
    if (result[0] !== null) request.log.info({ bytes: body.length, declared }, 'A body is no JSON in UTF-8')
    done(...result)
  })
}

/** For a route without a body: some clients declare JSON on every POST, also where there is none to declare. */
export async function allowNoBody({ headers }: FastifyRequest): Promise<void> {
  const length = headers['content-length'] ?? '0'
  if (length === '0' && headers['transfer-encoding'] === undefined) delete headers['content-type']
}

/** A part of a JSON value, and where it is: its place is spelt out only when there is something to say of it. */
interface Place {
  value: unknown
  depth: number
  key: string
  parent: Place | undefined
}

/**
 * The first place of a JSON value that we could not keep as it is: nested too deeply, text that PostgreSQL cannot
 * store (NUL, half a surrogate pair), or a number such as 1e999, which is read as infinite and would be written as null. Walks
 * without recursion, since the depth is what is not yet known.
 */
export function findUnusable(value: unknown): FieldError | undefined {
  const waiting: Place[] = [{ value, depth: 0, key: '', parent: undefined }]
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    const { value, depth } = place
    if (typeof value === 'string' && !isStorable(value)) return unusableText(place)
    if (typeof value === 'number' && !Number.isFinite(value)) {
      const detail = 'must be a number of at most 1.7976931348623157e308, either way'
      return { pointer: pointerOf(place), code: 'unusable_number', detail }
    }
    if (typeof value !== 'object' || value === null) continue
    if (depth === maxDepth) {
      const detail = `must be nested at most ${maxDepth} levels deep`
      return { pointer: pointerOf(place), code: 'too_deep', detail }
    }
    for (const [key, entry] of Object.entries(value)) {
      if (!isStorable(key)) return unusableText(place)
      if (entry !== null && typeof entry !== 'boolean')
        waiting.push({ value: entry, depth: depth + 1, key, parent: place })
    }
  }
  return undefined
}

function pointerOf({ parent, key }: Place): string {
  return parent === undefined ? '' : `${pointerOf(parent)}/${escapePointer(key)}`
}

/** A key as a part of a JSON Pointer (RFC 6901, section 3). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function unusableText(place: Place): FieldError {
  const detail = 'must not hold NUL or half of a surrogate pair'
  return { pointer: pointerOf(place), code: 'unusable_text', detail }
}
