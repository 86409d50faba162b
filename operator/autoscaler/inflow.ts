/** Milliseconds over which what arrives is averaged: shorter, and every burst is taken for a trend. */
const window = 60_000

/** Records that arrive per second, from where the end of a topic was and when. */
export class Inflow {
  readonly #samples: { at: number; end: number }[] = []

  /** @param at milliseconds on a clock that does not jump @returns records per second over the last minute; 0 at the first call */
  note(at: number, end: number): number {
    const last = this.#samples.at(-1)
    // A new life of the topic: what was known is of another log.
    if (last !== undefined && end < last.end) this.#samples.length = 0
    this.#samples.push({ at, end })
    // One sample from before the window stays, so that its length is known.
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= window) this.#samples.shift()
    const first = this.#samples[0]!
    return at > first.at ? ((end - first.end) / (at - first.at)) * 1000 : 0
  }
}
