/**
 * How many calls may be in flight while something starts again: every success allows one more, so that the number doubles with each
 * round, as in TCP's slow start (RFC 5681, 3.1), until it is full.
 */
export class Ramp {
  readonly full: number
  #limit: number

  constructor({ full, from }: { full: number; from: number }) {
    this.full = full
    this.#limit = Math.min(full, from)
  }

  get limit(): number {
    return this.#limit
  }

  restart(): void {
    this.#limit = 1
  }

  succeeded(): void {
    this.#limit = Math.min(this.full, this.#limit + 1)
  }
}
