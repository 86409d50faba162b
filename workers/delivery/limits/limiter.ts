/** The tokens of a rate limit that are at hand: one is needed for each message. */
export interface Limiter {
  /** Whether there is a token. When not, one is asked for, and whoever made the limiter is told when to look again. */
  has(): boolean
  /** Takes a token that is there. */
  take(): void
  /** Gives back a token that was not used. */
  giveBack(): void
  stop(): void
}
