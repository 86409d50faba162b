import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type Problem, problemBody, problemType } from './problem.ts'

const malformed: Problem = {
  status: 400,
  code: 'malformed_request',
  detail: 'This is no HTTP request that can be read.',
}

const byCode: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'request_timeout', detail: 'The request took too long.' },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers_too_large',
    detail: 'The headers are larger than any request needs.',
  },
}

/**
 * Answers what Node's parser of HTTP refuses, before there is a request: an unknown method, headers that are too large, a client that
 * is too slow. The connection ends with it, because where the next request begins on it is not known.
 */
export function answerUnreadable({ code }: Error & { code: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const problem = byCode[code] ?? malformed
  const body = JSON.stringify(problemBody(problem, {}))
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${problemType}; charset=utf-8`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
