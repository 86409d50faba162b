import { z } from 'zod'
import { withRules } from './rule.ts'

const milliseconds: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Go's duration notation (time.ParseDuration, and so CEL's `duration()`) without signs and the units below a millisecond. */
export const durationPattern = /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/

/**
 * Reads a duration such as `30s`, `1h30m` or `1.5h` and returns milliseconds, rounded to whole ones.
 * Throws a RangeError for any other text: what comes from outside is checked by a schema first.
 */
export function parseDuration(text: string): number {
  if (!durationPattern.test(text)) throw new RangeError('not a duration')
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g))
    sum += Number(amount) * milliseconds[unit!]!
  return Math.round(sum)
}

/** A string field that holds a duration between two bounds, both included. */
export function duration(min: string, max: string) {
  return withRules(
    z
      .string()
      .max(20)
      .regex(durationPattern, { message: 'must be a duration such as 30s, 5m or 1h30m', abort: true }),
    [
      {
        cel: `duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`,
        message: `must be a duration from ${min} to ${max}`,
        holds: (text) =>
          parseDuration(text) >= parseDuration(min) && parseDuration(text) <= parseDuration(max),
      },
    ],
  )
}
