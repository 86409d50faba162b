import type { Spread } from './statistics.ts'

export interface BenchContext {
  rounds: number
  /** Seconds of each load. */
  seconds: number
  /** Deliveries of `drain`. */
  records: number
  /** Whether a part is wanted: all are, unless some were named. */
  asked: (part: string) => boolean
  /** `host:port` of a Kafka of this run, started at the first call; `undefined` where there is none on this machine. */
  kafka: () => Promise<string | undefined>
  report: (line: string) => void
}

/** One thing that `make bench` measures, and a field of its result. */
export interface Section<Result> {
  /** What it is asked for by, or by the name of one of its parts. */
  name: string
  parts: readonly string[]
  /** `undefined` when it cannot be measured on this machine. */
  measure(context: BenchContext): Promise<Result | undefined>
  /** A table for people: medians, and the smallest and the largest round in brackets. */
  describe(result: Result): string
  /** The figures that may be compared with those of another machine or another day, by name. */
  ratios(result: Result): Record<string, Spread>
}
