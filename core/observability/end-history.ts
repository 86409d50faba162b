interface Sample {
  end: number
  /** Milliseconds on a clock that does not jump. */
  at: number
}

/** Samples kept of a partition. When there are more, every second of the older half goes: the past gets coarser, never shorter. */
const capacity = 240

/**
 * Remembers where the end of each partition was and when, and so tells about when a record was written without reading it: between two
 * samples records are taken to have come evenly (the method of kafka-lag-exporter).
 */
export class EndHistory {
  readonly #samples = new Map<string, Sample[]>()

  note(partition: string, end: number, at: number): void {
    const samples = this.#samples.get(partition) ?? []
    this.#samples.set(partition, samples)
    const [before, last] = [samples.at(-2), samples.at(-1)]
    // A new life of the topic: what was known is of another log.
    if (last !== undefined && end < last.end) samples.length = 0
    // Of a stretch without records its two ends are enough.
    if (before?.end === end && last?.end === end) last.at = at
    else samples.push({ end, at })
    if (samples.length > capacity) {
      const older = samples.splice(0, capacity / 2)
      samples.unshift(...older.filter((_sample, index) => index % 2 === 0))
    }
  }

  /**
   * Milliseconds since the record at this position was written; 0 when there is none yet. A record older than all that was seen is
   * at least as old as the first sample.
   */
  age(partition: string, position: number, now: number): number {
    const samples = this.#samples.get(partition) ?? []
    const after = samples.findIndex(({ end }) => end > position)
    if (after < 0) return 0
    const next = samples[after]!
    const previous = samples[after - 1]
    if (previous === undefined) return now - next.at
    const share = (position - previous.end) / (next.end - previous.end)
    return now - (previous.at + share * (next.at - previous.at))
  }
}
