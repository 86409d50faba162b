import type { Accepted, LedgerDelivery } from './balance.ts'

/**
 * Deliveries whose first attempt came before that of an earlier message to the same recipient. One whose first attempt ended before the provider
 * was asked (no connection, a destination that is left alone) has no place in the order: it waits on a retry topic, and nothing waits for it. Nor has
 * one whose first attempt was under way when the provider went, and never came there whole: what was seen is a later attempt.
 *
 * @param accepted by recipient, in the order in which their messages were accepted
 * @param seen deliveries in the order in which they came to the provider, as often as they came
 */
export function outOfOrder(
  accepted: Iterable<readonly Accepted[]>,
  seen: readonly string[],
  ledger: readonly LedgerDelivery[],
): string[] {
  const places = Map.groupBy(seen.keys(), (index) => seen[index]!)
  const wasCutOff = ({ id, attempts }: LedgerDelivery) =>
    attempts.some(({ attempt, outcome }) => attempt === 1 && outcome === 'maybe_sent') &&
    (places.get(id)?.length ?? 0) < attempts.filter(asked).length
  const byNotification = Map.groupBy(ledger, ({ notification }) => notification)
  return [...accepted].flatMap((promised) => {
    let latest = -1
    return promised
      .flatMap(({ notification }) => byNotification.get(notification) ?? [])
      .filter((delivery) => !delivery.attempts.some(endedUnasked) && !wasCutOff(delivery))
      .filter(({ id }) => {
        const place = places.get(id)?.[0] ?? latest
        const isLate = place < latest
        latest = Math.max(latest, place)
        return isLate
      })
      .map(({ id }) => id)
  })
}

function endedUnasked(attempt: LedgerDelivery['attempts'][number]): boolean {
  return attempt.attempt === 1 && !asked(attempt)
}

/** The API leaves out the outcome of an attempt for which no provider was asked. */
function asked({ outcome }: LedgerDelivery['attempts'][number]): boolean {
  return (outcome ?? 'not_sent') !== 'not_sent'
}
