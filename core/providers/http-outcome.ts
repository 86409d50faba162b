import type { FailureClass } from '../notification/failure.ts'
import type { HttpExchange } from './http-exchange.ts'
import type { Outcome } from './provider.ts'

/** The longest wait taken from a `Retry-After`, in milliseconds: a typing error of the vendor must not park a delivery for years. */
const maxRetryAfter = 24 * 3_600_000

/**
 * The outcome of an HTTP exchange, for a vendor that says everything with its status.
 * @param now milliseconds since the epoch, for a `Retry-After` that is a date
 */
export function outcomeFromHttp(exchange: HttpExchange, now: number): Outcome {
  if (exchange.phase === 'answered') return outcomeFromStatus(exchange.status, exchange.retryAfter, now)
  const code = errorCode(exchange.error)
  return exchange.phase === 'not_sent'
    ? { class: 'not_sent', code, detail: `no connection: ${code}` }
    : { class: 'maybe_sent', code, detail: `no answer after the request went out: ${code}` }
}

function outcomeFromStatus(status: number, retryAfter: string | undefined, now: number): Outcome {
  if (status >= 200 && status < 300) return { class: 'sent' }
  const failureClass = classOfStatus(status)
  const wait =
    failureClass === 'rate_limited' || failureClass === 'not_sent'
      ? parseRetryAfter(retryAfter, now)
      : undefined
  return {
    class: failureClass,
    code: String(status),
    detail: `HTTP ${status}`,
    ...(wait !== undefined && { retryAfter: wait }),
  }
}

/** RFC 9110 15. What a server says it did not process may be repeated; any other 5xx may have come after it did. */
function classOfStatus(status: number): FailureClass {
  switch (status) {
    case 401:
    case 403:
      return 'auth'
    case 429:
      return 'rate_limited'
    case 408: // Request Timeout: the request did not arrive whole.
    case 421: // Misdirected Request.
    case 425: // Too Early (RFC 8470): the server did not risk processing it.
    case 503:
      return 'not_sent'
  }
  return status >= 300 && status < 500 ? 'rejected' : 'maybe_sent'
}

/** RFC 9110 10.2.3: seconds or an HTTP date. In milliseconds from `now`; `undefined` for anything else. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const wait = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), maxRetryAfter)
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
