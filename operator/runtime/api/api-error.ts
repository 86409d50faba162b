/** What the API server answers instead of what was asked for, https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/. */
export class ApiError extends Error {
  /** HTTP status, such as 409. */
  readonly status: number
  /** One CamelCase word, such as `AlreadyExists`; empty when something between us and the API server answered. */
  readonly reason: string
  /** Milliseconds that the server asks us to wait. */
  readonly retryAfter: number | undefined

  constructor(status: number, reason: string, message: string, retryAfter?: number) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** The role lacks a rule, or an admission rule refuses: the message says which. */
export const isForbidden = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.status === 403
export const isNotFound = (error: unknown) => error instanceof ApiError && error.status === 404
/** Somebody else wrote since we read, or made what we wanted to make. */
export const isConflict = (error: unknown) => error instanceof ApiError && error.status === 409
/** The resource version is too old to go on from: list again. */
export const isGone = (error: unknown) => error instanceof ApiError && error.status === 410
/** How the API server answers to an apply whose fields have no such name, type or form: with a 500. */
const untyped = /^failed to (create typed patch object|convert new object)/

/** The object itself is refused: only a change of it, or of the rules, helps. */
export const isRefused = (error: unknown): error is ApiError =>
  error instanceof ApiError &&
  (error.status === 400 ||
    error.status === 403 ||
    error.status === 422 ||
    (error.status === 500 && untyped.test(error.message)))
