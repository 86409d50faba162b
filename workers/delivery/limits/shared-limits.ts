/** So many messages in an interval of milliseconds. */
export interface Rate {
  limit: number
  interval: number
}

/** The window of one rate limit that all workers share. */
export interface SharedTokens {
  reachable(): boolean
  /** Takes tokens out. Rejects when it cannot be known whether it did. */
  lease(request: LeaseRequest): Promise<Lease>
}

export interface LeaseRequest {
  /** Wanted at the most. */
  tokens: number
  /** Used in the present interval without the window's knowing. */
  unshared: number
  /** All that the worker used in the present interval: what a window that lost its memory is told. */
  used: number
}

export interface Lease {
  tokens: number
  /** Milliseconds until there may be tokens again; only where there were none. */
  wait: number
}

/** Limits that all workers of an install share. */
export interface SharedLimits {
  reachable(): boolean
  tokens(name: string, rate: Rate): SharedTokens
  /** Whether one more of a kind fits into its interval. What was admitted once is admitted again and counted once. Rejects when it cannot tell. */
  admit(name: string, id: string, rate: Rate): Promise<boolean>
  close(): void
}
