import type { Clock } from '../../../core/clock.ts'

/** Parts in which an interval is counted. A full limit is reached again one part late, so it costs 1/50 of the rate. */
export const parts = 50

/**
 * Counts tokens so that no interval of the given length, wherever it begins, holds more of them than the limit. A fixed window would let twice
 * as many through around its edge, and a bucket that fills steadily would spread a day's quota over the day.
 */
export class SlidingWindow {
  readonly #width: number
  readonly #clock: Pick<Clock, 'monotonic'>
  /** By number of the part, rising. */
  readonly #counts = new Map<number, number>()

  constructor({ interval, clock }: { interval: number; clock: Pick<Clock, 'monotonic'> }) {
    this.#width = interval / parts
    this.#clock = clock
  }

  /** Tokens of the interval that ends now. */
  get used(): number {
    this.#forget()
    let sum = 0
    for (const count of this.#counts.values()) sum += count
    return sum
  }

  /** Milliseconds until a token may be there; 0 when one is. */
  wait(limit: number): number {
    const [oldest] = this.used < limit ? [] : this.#counts.keys()
    return oldest === undefined ? 0 : (oldest + parts + 1) * this.#width - this.#clock.monotonic()
  }

  /** What it answers takes the tokens out again, as if they had not been added. */
  add(tokens: number): () => void {
    const part = this.#part
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + tokens)
    return () => {
      const left = (this.#counts.get(part) ?? 0) - tokens
      if (left > 0) this.#counts.set(part, left)
      else this.#counts.delete(part)
    }
  }

  get #part(): number {
    return Math.floor(this.#clock.monotonic() / this.#width)
  }

  #forget(): void {
    const first = this.#part - parts
    for (const part of this.#counts.keys()) {
      if (part >= first) return
      this.#counts.delete(part)
    }
  }
}
