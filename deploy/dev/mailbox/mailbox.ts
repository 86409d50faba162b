import type { Message } from '../../../core/notification/message.ts'
import type { ChannelType } from '../../../core/resources/channel-type.ts'

/** A message that was caught on this machine instead of leaving it. */
export interface Caught {
  /** Counts from 1 since the start. */
  id: number
  caughtAt: string
  channel: ChannelType
  /** The address it would have gone to. */
  to: string
  from?: string
  /** Subject of a mail, title of a push message. */
  title?: string
  text?: string
  /** Body of a mail as it came: never to be shown outside a sandboxed frame. */
  html?: string
  /** What is not text: the data of a push message, the blocks of a Slack message, the body of a webhook. */
  data?: unknown
  /** Whether a webhook's signature held. */
  verified?: boolean
  /** Why it did not. */
  problem?: string
  /** The id that travels with the message: of the delivery, or of the mail. */
  messageId?: string
}

const maxMessages = 500
const maxBytes = 50_000_000

/** Keeps the last 500 caught messages, or 50 MB of them, in memory. */
export class Mailbox {
  readonly #clock: { now(): number }
  readonly #listeners = new Set<(caught: Caught) => void>()
  readonly #messages: { caught: Caught; bytes: number }[] = []
  #lastId = 0
  #bytes = 0

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  add(message: Omit<Caught, 'id' | 'caughtAt'>): Caught {
    const caughtAt = new Date(this.#clock.now()).toISOString()
    const caught: Caught = { id: ++this.#lastId, caughtAt, ...message }
    const bytes = Buffer.byteLength(JSON.stringify(caught))
    this.#messages.push({ caught, bytes })
    this.#bytes += bytes
    while (this.#messages.length > maxMessages || (this.#bytes > maxBytes && this.#messages.length > 1)) {
      this.#bytes -= this.#messages.shift()!.bytes
    }
    for (const listener of this.#listeners) listener(caught)
    return caught
  }

  /** Newest first. */
  list(): Caught[] {
    return this.#messages.map(({ caught }) => caught).toReversed()
  }

  find(id: number): Caught | undefined {
    return this.#messages.find(({ caught }) => caught.id === id)?.caught
  }

  /** Calls back after each message. Returns a function that stops it. */
  onCaught(listener: (caught: Caught) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** What the mailbox shows of a message that a sandbox took. */
export function fromSandbox(message: Message, deliveryId: string): Omit<Caught, 'id' | 'caughtAt'> {
  const common = { channel: message.type, to: message.to, messageId: deliveryId }
  switch (message.type) {
    case 'email':
      return {
        ...common,
        title: message.subject,
        ...(message.text !== undefined && { text: message.text }),
        ...(message.html !== undefined && { html: message.html }),
      }
    case 'sms':
      return { ...common, text: message.text }
    case 'push':
      return {
        ...common,
        title: message.title,
        text: message.body,
        ...(Object.keys(message.data).length > 0 && { data: message.data }),
      }
    case 'slack':
      return { ...common, text: message.text, ...(message.blocks !== undefined && { data: message.blocks }) }
    case 'inapp':
      return { ...common, title: message.title, text: message.body }
    case 'webhook':
      return { ...common, data: message.body }
  }
}
