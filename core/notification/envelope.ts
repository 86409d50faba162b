import { z } from 'zod'
import { channelTypes } from '../resources/channel-type.ts'
import { recipientSchema } from './recipient.ts'

/**
 * What travels in records. The major version is in a header, so that a reader which does not know it stops instead of guessing; writers stay one
 * version behind until readers are new. CloudEvents 1.0 attributes are `ce_*` headers (Kafka binding, binary mode).
 */

export const envelopeVersion = 1

export const header = {
  version: 'carillon-envelope',
  attempt: 'carillon-attempt',
  replayEpoch: 'carillon-replay-epoch',
  /** When the record is due, in milliseconds since the epoch. */
  due: 'carillon-due',
  /** `topic/partition/offset` of the record that this one follows. */
  origin: 'carillon-origin',
  reason: 'carillon-reason',
  /** `dropped` on a dead letter that was too large for its topic. */
  payload: 'carillon-payload',
  traceparent: 'traceparent',
} as const

/** What of a trace travels in headers, of requests and of records alike (W3C Trace Context). */
export interface TraceHeaders {
  traceparent?: string
  tracestate?: string
}

const uuid = z.guid()
const json = z.record(z.string(), z.unknown())

/** What a request says when it brings its own words instead of a template. */
export const contentSchema = z.strictObject({
  subject: z.string().max(998).optional().describe('Subject of a mail; title of a push or in-app message.'),
  text: z.string().max(100_000).optional().describe('Plain text. Every channel but e-mail needs it.'),
  html: z.string().max(200_000).optional().describe('HTML body of a mail.'),
})

export type Content = z.infer<typeof contentSchema>

const templateUse = z.object({ name: z.string(), revision: z.string(), locale: z.string().optional() })

const common = {
  tenant: z.string(),
  template: templateUse.optional(),
  content: contentSchema.optional(),
  data: json,
  category: z.string().optional(),
  metadata: json,
  /** What everything counts from: a record without a point in time here would fail wherever it is used. */
  accepted_at: z.string().refine((text) => !Number.isNaN(Date.parse(text))),
  expires_at: z.string().optional(),
}

/** Value of a record on `<p>.requests`: one accepted request. */
const requestEnvelope = z.object({
  ...common,
  id: uuid,
  /** SHA-256 of the canonical request body, hex. */
  body_hash: z.string().length(64),
  to: z.array(recipientSchema),
  /** Names of the channels to use, settled at acceptance. */
  channels: z.array(z.string()),
})

export type RequestEnvelope = z.infer<typeof requestEnvelope>

/** Value of a record on a channel's topics: one delivery, with all that rendering and sending need. */
const deliveryEnvelope = z.object({
  ...common,
  id: uuid,
  notification_id: uuid,
  /** `ntf_…`: the notification's id as the API shows it, and so as templates see it. */
  notification: z.string(),
  channel: z.string(),
  channel_type: z.enum(channelTypes),
  recipient: z.string(),
  address: z.string(),
  /** What templates may say of the person: id, name, locale, attributes. */
  user: json.optional(),
})

export type DeliveryEnvelope = z.infer<typeof deliveryEnvelope>

export type Headers = Record<string, string>

export interface EncodedEnvelope {
  value: Buffer
  headers: Headers
}

/** The record of an accepted request, as a CloudEvent in binary mode. */
export function encodeRequest(request: RequestEnvelope, trace: TraceHeaders = {}): EncodedEnvelope {
  return encode(request, 'dev.carillon.notification.requested.v1', request.accepted_at, trace)
}

/** The record of one delivery, as a CloudEvent in binary mode. */
export function encodeDelivery(delivery: DeliveryEnvelope, trace: TraceHeaders = {}): EncodedEnvelope {
  return encode(delivery, 'dev.carillon.delivery.requested.v1', delivery.accepted_at, trace)
}

export type Decoded<T> =
  | { kind: 'ok'; envelope: T }
  /** Written by a newer Carillon: hold the partition, a reader that knows it is on its way. */
  | { kind: 'unknown_version'; version: string }
  /** No reader will ever understand it. */
  | { kind: 'poison'; detail: string }

/** Reads a record of the requests topic. */
export const decodeRequest = (value: Buffer | null, headers: Readonly<Headers>) =>
  decode(requestEnvelope, value, headers)
/** Reads a record of a channel's topics. */
export const decodeDelivery = (value: Buffer | null, headers: Readonly<Headers>) =>
  decode(deliveryEnvelope, value, headers)

/** A whole number from a header; `fallback` where it is absent, `undefined` where it is no such number. */
export function numberHeader(headers: Readonly<Headers>, name: string, fallback: number): number | undefined {
  const text = headers[name]
  if (text === undefined) return fallback
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function encode(
  body: { id: string; tenant: string },
  type: string,
  time: string,
  trace: TraceHeaders,
): EncodedEnvelope {
  return {
    value: Buffer.from(JSON.stringify(body)),
    headers: {
      [header.version]: String(envelopeVersion),
      ce_specversion: '1.0',
      ce_id: body.id,
      ce_source: `/carillon/${body.tenant}`,
      ce_type: type,
      ce_time: time,
      'content-type': 'application/json',
      ...trace,
    },
  }
}

function decode<T>(schema: z.ZodType<T>, value: Buffer | null, headers: Readonly<Headers>): Decoded<T> {
  const version = headers[header.version]
  if (version === undefined) return { kind: 'poison', detail: `no ${header.version} header` }
  if (version !== String(envelopeVersion)) {
    return /^\d{1,4}$/.test(version)
      ? { kind: 'unknown_version', version }
      : { kind: 'poison', detail: `bad ${header.version} header` }
  }
  if (value === null) return { kind: 'poison', detail: 'no value' }
  let body: unknown
  try {
    body = JSON.parse(value.toString('utf8'))
  } catch {
    return { kind: 'poison', detail: 'not JSON' }
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return { kind: 'ok', envelope: parsed.data }
  const issue = parsed.error.issues[0]
  return { kind: 'poison', detail: `/${issue?.path.join('/') ?? ''}: ${issue?.code ?? 'invalid'}` }
}
