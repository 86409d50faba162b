import type { z } from 'zod'
import type { Transaction } from 'kysely'
import type { FailureClass } from '../notification/failure.ts'
import type { Message } from '../notification/message.ts'
import type { ProviderDeclaration } from '../resources/provider.ts'
import type { Database } from '../store/schema.ts'

/**
 * What became of one send. Providers return it and never throw for an answer of the vendor; what they do throw is a defect,
 * and counts as `maybe_sent`. `detail` is one line for the timeline and the log: no secret, no address, no payload.
 */
export type Outcome = Sent | NotSent

export interface Sent {
  class: 'sent'
  /** The vendor's id of the message, for receipts and support questions. */
  providerMessageId?: string
  /** Nothing left the house: a sandbox took it. The delivery ends as `simulated`. */
  simulated?: boolean
  /** Written in the transaction that records the outcome, and only if this claim still holds: how in-app is exactly once. */
  commitWith?: (transaction: Transaction<Database>) => Promise<void>
}

export interface NotSent {
  class: FailureClass
  detail: string
  /** The vendor's own code: an HTTP status, an SMTP reply code, an error name. */
  code?: string
  /** Milliseconds the vendor asked us to wait. */
  retryAfter?: number
}

export interface SendContext {
  /** `dlv_…`: the same on every attempt at a delivery. What a vendor takes as idempotency key, and mail as Message-ID. */
  deliveryId: string
  /** The same id as the ledger's key: a uuid. */
  deliveryUuid: string
  tenant: string
  /** 1 for the first. */
  attempt: number
  /** The trace of this call (W3C Trace Context), for who receives it to carry on; absent while no traces are made. */
  traceparent?: string
}

/** An opened provider of one channel. It keeps its connections until it is closed. */
export interface Provider {
  /** Sends once. Honours `signal` (the time-out of the channel): ends within 100 ms of its abort, with the class that then holds. */
  send(message: Message, context: SendContext, signal: AbortSignal): Promise<Outcome>
  /** Idempotent; leaves no socket or timer behind. */
  close(): Promise<void>
}

/** What a repeat after an unknown outcome means: dropped by the vendor, impossible, or a second message. */
export type Idempotency = 'key' | 'transaction' | 'none'

export interface ProviderOptions<Settings> {
  settings: Settings
  /** Reads a key of the channel's Secret at every use, so that a rotation is seen. `undefined` when there is none. */
  secret: (key: string) => string | undefined
  maxConcurrent: number
  clock: { now(): number }
  capture?: Capture
}

/** Is shown every message that a sandbox took instead of sending it. */
export type Capture = (message: Message, context: SendContext) => void

export interface ProviderDefinition<S extends z.ZodObject = z.ZodObject> extends ProviderDeclaration {
  settings: S
  idempotency: Idempotency
  /**
   * Names the party behind an address, as `host:port`, where each message goes to a party of its own and not to one service: that party is then
   * to blame for failures. `undefined` for an address that cannot be used.
   */
  destination?: (address: string) => string | undefined
  /** Constructs without side effects: no request, timer or socket before the first send. */
  open(options: ProviderOptions<z.output<S>>): Provider
}

/** Types a definition from its own settings schema. */
export function defineProvider<S extends z.ZodObject>(
  definition: ProviderDefinition<S>,
): ProviderDefinition<S> {
  return definition
}
