import { z } from 'zod'

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** A length of time as Kubernetes writes it: `20ms`, `30s`, `1h30m`. Years are written in hours. */
export const duration = z
  .string()
  .max(20)
  .regex(/^([0-9]+(ms|s|m|h))+$/, 'must be a duration such as 20ms, 30s or 1h30m')

/** Milliseconds of a text that `duration` accepted. */
export function parseDuration(text: string): number {
  let total = 0
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|s|m|h)/g)) {
    total += Number(count) * milliseconds[unit as keyof typeof milliseconds]
  }
  return total
}
