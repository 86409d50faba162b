/** A part of a process that was started. */
export interface Running {
  /** Whether it does its work: in its consumer groups, nothing fatal happened. */
  ready(): boolean
  /** Drains: takes nothing more, finishes what is in flight, commits, leaves its groups. */
  stop(): Promise<void>
}
