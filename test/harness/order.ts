import type { Accepted, LedgerDelivery } from './balance.ts'

/**
 * Deliveries whose first attempt came before that of an earlier message to the same recipient. One whose first attempt ended before the provider
 * was asked had none, and so no place in the order: it waits on a retry topic, where nothing waits for it.
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
      .filter(
        ({ attempts }) => !attempts.some(({ attempt, outcome }) => attempt === 1 && outcome === 'not_sent'),
      )
      .filter(({ id }) => {
        const place = position.get(id) ?? latest
        const isLate = place < latest
        latest = Math.max(latest, place)
        return isLate
      })
      .map(({ id }) => id)
  })
}
