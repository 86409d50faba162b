import { setTimeout as sleep } from 'node:timers/promises'
import type { Accepted, LedgerDelivery } from './balance.ts'

/** Waits for a condition; throws when it does not come true in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = 60_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await sleep(20)
  }
}

/**
 * Sends until it has its 202, as a client with an Idempotency-Key may, and answers the promise. The address is asked for at every try,
 * because a server that was killed comes back under another.
 */
export async function sendUntilAccepted(
  url: () => string | undefined,
  key: string,
  body: object,
): Promise<Accepted> {
  for (;;) {
    const response = await fetch(`${url()}/v1/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    }).catch(() => undefined)
    if (response?.status === 202) {
      const { id } = (await response.json().catch(() => ({}))) as { id?: string }
      if (id !== undefined) return { notification: id }
    } else if (response !== undefined && response.status < 500) {
      throw new Error(`refused: ${response.status} ${await response.text()}`)
    }
    // The server is gone or not ready: wait for the next one.
    await sleep(50)
  }
}

/** Everything the ledger knows of what was promised, read as any client would. */
export async function readLedger(url: string, notifications: readonly Accepted[]): Promise<LedgerDelivery[]> {
  const rows: LedgerDelivery[] = []
  for (const { notification } of notifications) {
    const response = await fetch(`${url}/v1/notifications/${notification}`)
    if (response.status !== 200) throw new Error(`${notification}: ${response.status}`)
    const { deliveries = [] } = (await response.json()) as {
      deliveries?: Omit<LedgerDelivery, 'notification'>[]
    }
    rows.push(...deliveries.map((delivery) => ({ ...delivery, notification })))
  }
  return rows
}
