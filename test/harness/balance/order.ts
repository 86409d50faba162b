import type { Accepted, LedgerDelivery } from './balance.ts'

/**
 * Deliveries whose first attempt came before that of an earlier message to the same recipient. One whose first attempt ended before the provider
 * was asked (no connection, a destination that is left alone) has no place in the order: it waits on a retry topic, and nothing waits for it.
 *
 * @param accepted by recipient, in the order in which their messages were accepted
 * @param firstSeen deliveries in the order in which they first came to the provider
 */
export function outOfOrder(
  accepted: Iterable<readonly Accepted[]>,
  firstSeen: Iterable<string>,
  ledger: readonly LedgerDelivery[],
): string[] {
  const position = new Map([...firstSeen].map((delivery, index) => [delivery, index]))
  const byNotification = Map.groupBy(ledger, ({ notification }) => notification)
  return [...accepted].flatMap((promised) => {
    let latest = -1
    return promised
      .flatMap(({ notification }) => byNotification.get(notification) ?? [])
      .filter(({ attempts }) => !attempts.some(endedUnasked))
      .filter(({ id }) => {
        const place = position.get(id) ?? latest
        const isLate = place < latest
        latest = Math.max(latest, place)
        return isLate
      })
      .map(({ id }) => id)
  })
}

/** The API leaves out the outcome of an attempt for which no provider was asked. */
function endedUnasked({ attempt, outcome }: LedgerDelivery['attempts'][number]): boolean {
  return attempt === 1 && (outcome ?? 'not_sent') === 'not_sent'
}
