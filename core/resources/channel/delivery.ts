import { z } from 'zod'
import { duration, parseDuration } from '../duration.ts'
import { withRules } from '../rule.ts'
import { rateLimit } from './rate-limit.ts'

const retryTiers = withRules(z.array(duration('1s', '24h').describe('Delay of the tier.')).min(1).max(6), [
  {
    cel: 'self.map(tier, duration(tier)).isSorted() && self.all(a, self.exists_one(b, duration(a) == duration(b)))',
    message: 'must ascend, without two equal delays',
    holds: (tiers) =>
      tiers.every((tier, index) => index === 0 || parseDuration(tiers[index - 1]!) < parseDuration(tier)),
  },
])

/** `spec.delivery`: what one delivery of the channel may expect. */
export const delivery = z
  .strictObject({
    retryTiers: retryTiers
      .default(['30s', '5m', '1h'])
      .describe('Delays before each retry, one topic per delay; the last one repeats.'),
    maxAttempts: z
      .int()
      .min(1)
      .max(100)
      .default(8)
      .describe(
        'Attempts before a message goes to the dead letters. An attempt that was told to wait is not counted.',
      ),
    expiresAfter: duration('1m', '720h')
      .default('72h')
      .describe('A message not delivered for so long ends as expired, unless the request says its own time.'),
    ordering: z
      .enum(['PerRecipient', 'Unordered'])
      .default('PerRecipient')
      .describe(
        "PerRecipient keeps the order of one recipient's messages on their first attempts. Unordered is faster.",
      ),
    onUnknown: z
      .enum(['Retry', 'Hold'])
      .default('Retry')
      .describe(
        'What follows when a provider may have sent a message and did not say so: Retry may send it twice, Hold leaves it with the status unknown.',
      ),
    concurrency: z.int().min(1).max(1000).default(50).describe('Deliveries in flight per worker.'),
    perRecipientLimit: rateLimit()
      .optional()
      .describe(
        'Messages that one recipient may be sent in an interval; what is above ends as skipped, unless its template is critical. Unlimited when absent.',
      ),
  })
  .prefault({})
  .describe('How a message is delivered: retries, order, expiry, limits.')
