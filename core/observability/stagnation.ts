/**
 * Notices consumers that stand still: something to do, a group that looks well, and a committed position that does not move. No
 * heartbeat shows it, so it is told from the positions alone.
 */
export class Stagnation {
  readonly #seen = new Map<string, { position: number; since: number }>()

  /**
   * Milliseconds since the position last moved or there was last nothing to do.
   * @param name of the group and partition @param pending records that could be worked on now @param now on a clock that does not jump
   */
  note(name: string, position: number, pending: number, now: number): number {
    const seen = this.#seen.get(name)
    if (pending > 0 && seen?.position === position) return now - seen.since
    this.#seen.set(name, { position, since: now })
    return 0
  }
}
