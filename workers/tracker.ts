/**
 * Which records of one partition are finished, under one assignment. Records are kept in the order received, never by counting
 * offsets: those have gaps. The watermark is the position that may be committed: just after the last record of the finished prefix.
 */
export class Tracker {
  readonly #entries: { offset: number; bytes: number; done: boolean }[] = []
  readonly #byOffset = new Map<number, { bytes: number; done: boolean }>()
  #head = 0
  #newest: number | undefined
  #watermark: number | undefined
  #bytes = 0

  /** Takes a record on. Offsets must rise. */
  add(offset: number, bytes: number): void {
    if (this.#newest !== undefined && offset <= this.#newest)
      throw new RangeError(`offset ${offset} after ${this.#newest}`)
    this.#newest = offset
    const entry = { offset, bytes, done: false }
    this.#entries.push(entry)
    this.#byOffset.set(offset, entry)
    this.#bytes += bytes
  }

  done(offset: number): void {
    const entry = this.#byOffset.get(offset)
    if (entry === undefined || entry.done) return
    entry.done = true
    this.#byOffset.delete(offset)
    this.#bytes -= entry.bytes
    while (this.#head < this.#entries.length && this.#entries[this.#head]!.done) {
      this.#watermark = this.#entries[this.#head]!.offset + 1
      this.#head++
    }
    // Dropping the prefix costs its length; doing it when it is half of the array makes that constant per record.
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** The offset of the record that was taken on last, or `undefined` before the first. */
  get newest(): number | undefined {
    return this.#newest
  }

  /** The position to commit, or `undefined` while the first record is unfinished. */
  get watermark(): number | undefined {
    return this.#watermark
  }

  get unfinished(): number {
    return this.#byOffset.size
  }

  /** Bytes of the unfinished records. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records between the watermark and the newest: what a restart would read again. */
  get span(): number {
    return this.#entries.length - this.#head
  }
}
