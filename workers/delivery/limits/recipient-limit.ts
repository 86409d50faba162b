import type { Clock } from '../../../core/clock.ts'
import type { Rate, SharedLimits } from './shared-limits.ts'

export interface RecipientLimitOptions {
  /** Names the channel. */
  name: string
  rate: Rate
  shared: SharedLimits | undefined
  clock: Pick<Clock, 'monotonic'>
  /** Recipients remembered at the most; the one whose last message is oldest is forgotten first. */
  capacity?: number
}

/**
 * Whether one more delivery to a recipient fits into the interval. Asking again for the same delivery counts once.
 * All deliveries of a recipient are on one partition and so come to one worker, which therefore remembers them too: that is what holds
 * while Redis is out of reach, and what spares it the questions whose answer is no.
 */
export function createRecipientLimit({ name, rate, shared, clock, ...options }: RecipientLimitOptions) {
  const capacity = options.capacity ?? 50_000
  /** Of each recipient, when each delivery was admitted. */
  const admitted = new Map<string, Map<string, number>>()

  return async function admit(recipient: string, delivery: string): Promise<boolean> {
    const now = clock.monotonic()
    const known = admitted.get(recipient) ?? new Map<string, number>()
    for (const [other, at] of known) if (at <= now - rate.interval) known.delete(other)
    if (known.has(delivery)) return true
    if (known.size >= rate.limit) return false
    // Before the question to Redis, so that a second delivery does not slip in while it is under way.
    known.set(delivery, now)
    remember(recipient, known)
    if (shared === undefined || !shared.reachable()) return true
    const agreed = await shared.admit(`${name}/${recipient}`, delivery, rate).catch(() => true)
    if (!agreed) known.delete(delivery)
    return agreed
  }

  function remember(recipient: string, known: Map<string, number>): void {
    admitted.delete(recipient)
    admitted.set(recipient, known)
    if (admitted.size > capacity) admitted.delete(admitted.keys().next().value!)
  }
}
