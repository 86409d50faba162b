/** A part of a process that was started. */
export interface Running {
  /** Whether it does its work: in its consumer groups, nothing fatal happened. */
  ready(): boolean
  /** Resolves when it can never go on in this process, such as a consumer that failed for good. Else it never does. */
  readonly failed: Promise<Error>
  /** Drains: takes nothing more, finishes what is in flight, commits, leaves its groups. */
  stop(): Promise<void>
}
