/**
 * Why a send did not succeed, as far as it decides what may follow. A wrong class duplicates or loses messages, so an
 * unclear failure after the body went out is `maybe_sent`.
 *
 * - `not_sent`: the provider certainly did not take it (DNS, refused, TLS, HTTP 503, SMTP 4xx before the end of DATA). Safe to repeat.
 * - `rate_limited`: refused for now (HTTP 429, SMTP 421/450). The attempt is not counted.
 * - `auth`: our credentials were refused (HTTP 401/403, SMTP 535). No fault of the message.
 * - `rejected`: refused for good (HTTP 400/404/410/413/422, SMTP 5xx). No retry.
 * - `maybe_sent`: the outcome is not known (reset or time-out after the body, HTTP 500/502/504).
 * - `poison`: the record or the rendered message cannot be used at all.
 */
export const failureClasses = [
  'not_sent',
  'rate_limited',
  'auth',
  'rejected',
  'maybe_sent',
  'poison',
] as const

export type FailureClass = (typeof failureClasses)[number]
