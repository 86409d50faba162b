import { setTimeout as sleep } from 'node:timers/promises'
import { type Accepted, balance, type LedgerDelivery } from './balance.ts'

/**
 * Waits for a condition; throws when it does not come true in time.
 * @param what completes "timed out waiting until"; asked for when it is needed
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  milliseconds = 120_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`timed out waiting until ${typeof what === 'string' ? what : what()}`)
    await sleep(20)
  }
}

/** Milliseconds that a client waits for an answer before it asks again. */
const patience = 15_000

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
      signal: AbortSignal.timeout(patience),
    }).catch(() => undefined)
    if (response?.status === 202) {
      const { id } = (await response.json().catch(() => ({}))) as { id?: string }
      if (id !== undefined) return { notification: id }
    } else if (response !== undefined && response.status < 500) {
      throw new Error(`refused: ${response.status} ${await response.text()}`)
    }
    // The server is gone or not ready: wait for the next one.
    await sleep(100)
  }
}

export interface LoadOptions {
  /** Where the API is now. */
  url: () => string | undefined
  /** The URL below which every recipient has one of its own, `NAME-INDEX`. */
  to: string
  /** Unique among the loads of an install. */
  name: string
  recipients: number
  /** Messages to each, at least. */
  messages: number
  /** Milliseconds between two messages to one recipient. */
  interval: number
}

export interface Load {
  name: string
  /** What was accepted so far, by recipient, in the order of the messages. */
  accepted: ReadonlyMap<string, readonly Accepted[]>
  count(): number
  /** From here on each recipient gets one message more, and what it still lacks; until then the load goes on. */
  finish(): void
  /** Sends nothing more. */
  stop(): void
  /** Resolves when everything that was sent is accepted. */
  done: Promise<void>
}

/** Sends to many recipients at once; to each of them one message after the other, so that their order is known. */
export function startLoad({ url, to, name, recipients, messages, interval }: LoadOptions): Load {
  const accepted = new Map<string, Accepted[]>()
  let count = 0
  let stopped = false
  let finishing = false
  async function sendTo(index: number): Promise<void> {
    const recipient = `${name}-${index}`
    const promised: Accepted[] = []
    accepted.set(recipient, promised)
    await sleep((index * interval) / recipients)
    let hasLast = false
    for (let message = 0; !stopped && !(hasLast && message >= messages); message++) {
      hasLast = finishing
      const key = `${recipient}-${message}`
      const body = { to: [{ webhook_url: `${to}/${recipient}` }], content: { text: `message ${key}` } }
      promised.push(await sendUntilAccepted(url, key, body))
      count++
      await sleep(interval)
    }
  }
  const done = Promise.all(Array.from({ length: recipients }, (_, index) => sendTo(index)))
  return {
    name,
    accepted,
    count: () => count,
    finish: () => (finishing = true),
    stop: () => (stopped = true),
    done: done.then(() => {}),
  }
}

const readers = 8

/** Everything the ledger knows of what was promised, read as any client would. */
export async function readLedger(url: string, notifications: readonly Accepted[]): Promise<LedgerDelivery[]> {
  const rows: LedgerDelivery[] = []
  const left = [...notifications]
  const read = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { notification } = next
      const response = await fetch(`${url}/v1/notifications/${notification}`)
      if (response.status !== 200) throw new Error(`${notification}: ${response.status}`)
      const { deliveries = [] } = (await response.json()) as {
        deliveries?: Omit<LedgerDelivery, 'notification'>[]
      }
      rows.push(...deliveries.map((delivery) => ({ ...delivery, notification })))
    }
  }
  await Promise.all(Array.from({ length: readers }, read))
  return rows
}

/** Waits until every promise has reached a terminal status; answers what the ledger knows by then, or when the time is over. */
export async function readSettledLedger(
  url: () => string | undefined,
  promised: readonly Accepted[],
  milliseconds = 120_000,
): Promise<LedgerDelivery[]> {
  const settled: LedgerDelivery[] = []
  let left = [...promised]
  const deadline = Date.now() + milliseconds
  for (;;) {
    const rows = await readLedger(url() ?? '', left).catch(() => undefined)
    if (rows !== undefined) {
      const { unplanned, unfinished } = balance(left, [], rows)
      const open = new Set([
        ...unplanned,
        ...rows.filter(({ id }) => unfinished.includes(id)).map(({ notification }) => notification),
      ])
      settled.push(...rows.filter(({ notification }) => !open.has(notification)))
      left = left.filter(({ notification }) => open.has(notification))
      const isOver = Date.now() > deadline
      if (left.length === 0 || isOver)
        return [...settled, ...rows.filter(({ notification }) => open.has(notification))]
    } else if (Date.now() > deadline) throw new Error('the ledger cannot be read')
    await sleep(100)
  }
}
