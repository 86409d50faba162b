import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { failureClasses } from '../notification/failure.ts'
import type { Message } from '../notification/message.ts'
import { duration, parseDuration } from '../resources/duration.ts'
import { defineProvider, type Outcome, type SendContext } from './provider.ts'

const failure = z.strictObject({
  match: z
    .string()
    .min(1)
    .max(320)
    .describe(
      'Address that fails. With a leading `*`, every address that ends in the rest; `*` alone is every address.',
    ),
  class: z
    .enum(failureClasses)
    .describe('Failure class to answer with. After `maybe_sent` the message counts as taken.'),
  code: z.string().max(64).optional().describe("The vendor's code to answer with, such as `21211`."),
  retryAfter: duration('0s', '24h').optional().describe('How long the vendor asks us to wait, such as `2s`.'),
  times: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('How many sends of one delivery fail before it passes. Unset: all of them.'),
  rate: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'Share of the sends that fail. Chosen by delivery and attempt, so that a rehearsal repeats exactly.',
    ),
})

type Failure = z.output<typeof failure>

/** Deliveries whose sends are counted for `times`; the oldest is forgotten first. */
const countedDeliveries = 10_000

/** Takes every message and sends none: for laptops, previews, and rehearsals of what a vendor may answer. */
export const sandbox = defineProvider({
  type: 'sandbox',
  description:
    'Sends nothing. Deliveries end as `simulated`, or fail as the settings say, to rehearse an outage.',
  channelTypes: ['email', 'sms', 'push', 'slack', 'webhook'],
  settings: z.strictObject({
    latency: duration('0s', '1h').default('0s').describe('How long every send takes, such as `20ms`.'),
    failures: z
      .array(failure)
      .max(50)
      .default([])
      .describe('Failures to rehearse. The first entry whose `match` fits the address decides.'),
  }),
  secrets: [],
  idempotency: 'key',

  open({ settings, capture }) {
    const latency = parseDuration(settings.latency)
    const sends = new Map<string, number>()

    /** Earlier sends of the delivery: those counted as attempts, or, where a rate limit kept them uncounted, those seen here. */
    function countSend({ deliveryId, attempt }: SendContext): number {
      const earlier = Math.max(attempt - 1, sends.get(deliveryId) ?? 0)
      sends.delete(deliveryId)
      sends.set(deliveryId, earlier + 1)
      if (sends.size > countedDeliveries) sends.delete(sends.keys().next().value!)
      return earlier
    }

    return {
      async send(message, context, signal) {
        try {
          await delay(latency, undefined, { signal })
        } catch {
          return { class: 'not_sent', code: 'aborted', detail: 'stopped before the sandbox answered' }
        }
        const failing = settings.failures.find(({ match }) => matches(match, message.to))
        const earlier = failing?.times === undefined ? 0 : countSend(context)
        const outcome =
          failing && isDue(failing, earlier, context) ? fail(failing) : simulated(message, context)
        if (outcome.class === 'sent' || outcome.class === 'maybe_sent') capture?.(message, context)
        return outcome
      },
      async close() {
        sends.clear()
      },
    }
  },
})

function matches(match: string, address: string): boolean {
  return match.startsWith('*') ? address.endsWith(match.slice(1)) : address === match
}

function isDue({ times = Infinity, rate }: Failure, earlier: number, context: SendContext): boolean {
  if (earlier >= times) return false
  const seed = createHash('sha256').update(`${context.deliveryId}\0${context.attempt}`).digest()
  return seed.readUInt32BE() / 2 ** 32 < rate
}

function fail({ class: failureClass, code, retryAfter }: Failure): Outcome {
  return {
    class: failureClass,
    detail: 'rehearsed by the sandbox',
    ...(code !== undefined && { code }),
    ...(retryAfter !== undefined && { retryAfter: parseDuration(retryAfter) }),
  }
}

function simulated(message: Message, { deliveryId }: SendContext): Outcome {
  return { class: 'sent', simulated: true, providerMessageId: `sandbox-${message.type}-${deliveryId}` }
}
