import { z } from 'zod'
import { duration } from '../duration.ts'

/** A limit of so many messages in an interval. */
export const rateLimit = () =>
  z.strictObject({
    limit: z.int().min(1).max(1_000_000).describe('Messages in one interval.'),
    interval: duration('1s', '24h').default('1s').describe('Length of the interval.'),
  })
