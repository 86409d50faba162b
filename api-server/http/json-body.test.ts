import { fastify } from 'fastify'
import { expect, it, vi } from 'vitest'
import { createLogger } from '../../core/observability/logger.ts'
import { readJsonBodies } from './json-body.ts'

type Parser = (request: object, body: Buffer, done: (error: Error | null, value?: unknown) => void) => void

/** The parser as it is handed to Fastify, and what it logs. */
function parser() {
  const app = fastify()
  const added = vi.spyOn(app, 'addContentTypeParser')
  readJsonBodies(app)
  const lines: string[] = []
  const log = createLogger({ level: 'INFO', destination: { write: (line) => void lines.push(line) } })
  const request = { log, headers: { 'content-length': '20' } }
  const [, , parse] = added.mock.calls[0] as unknown as [string, object, Parser]
  return { lines, parse: (body: Buffer, done: Parameters<Parser>[2]) => parse(request, body, done) }
}

it('takes no defect of whoever goes on with the value for a fault of the text', () => {
  const { parse } = parser()
  const done = vi.fn(() => {
    throw new TypeError('a defect')
  })
  expect(() => parse(Buffer.from('{"to":[]}'), done)).toThrow('a defect')
  expect(done.mock.calls).toEqual([[null, { to: [] }]])
})

it.each(['', '{"to":', '\xff'])(
  'logs of %j how long it was and how long it should have been, and nothing of it',
  (text) => {
    const { parse, lines } = parser()
    const done = vi.fn()
    parse(Buffer.from(text, 'latin1'), done)
    expect(done).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ statusCode: 400 }), undefined)
    expect(JSON.parse(lines.join())).toMatchObject({ bytes: text.length, declared: '20' })
    expect(lines.join()).not.toContain('{\\"to')
  },
)
