/** Keeps what was used last, up to a total weight. What weighs more than the whole is made afresh every time. */
export class WeightedCache<V extends { weight: number }> {
  readonly #limit: number
  /** In order of use: a map iterates in the order of insertion. */
  readonly #entries = new Map<string, V>()
  #weight = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string, make: () => V): V {
    const kept = this.#entries.get(key)
    if (kept) {
      this.#entries.delete(key)
      this.#entries.set(key, kept)
      return kept
    }
    const made = make()
    if (made.weight > this.#limit) return made
    this.#entries.set(key, made)
    this.#weight += made.weight
    for (const [oldest, { weight }] of this.#entries) {
      if (this.#weight <= this.#limit) break
      this.#entries.delete(oldest)
      this.#weight -= weight
    }
    return made
  }
}
