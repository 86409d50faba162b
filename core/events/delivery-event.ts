import { z } from 'zod'
import type { RecordToProduce } from '../broker/broker.ts'
import { envelopeVersion, header, type TraceHeaders } from '../notification/envelope.ts'
import { formatDeliveryId } from '../notification/ids.ts'
import { type DeliveryStatus, type Reason, reasons } from '../notification/status.ts'
import { eventsTopic } from '../notification/topics.ts'
import { channelTypes } from '../resources/channel-type.ts'

/**
 * What `<prefix>.events` tells of deliveries: a record for each change of a status, as CloudEvents 1.0 in the binary mode of the Kafka
 * binding. Each description says when; together they are the page of the reference. Nothing in an event is an address or a part of a
 * message.
 *
 * There is no event for `sending`: nobody can act on it, it would double the topic, and it would stand in the way of every call.
 */
export const eventStatuses = {
  queued: 'The planner has recorded the delivery; it waits on its channel.',
  sent: 'The provider took the message.',
  simulated: 'A sandbox took the message; nothing left the house.',
  retrying: 'The attempt failed for now; the next one is due later.',
  failed: 'Refused for good, by the provider or because the message cannot be made.',
  skipped: 'Nothing was to be sent; the reason says why.',
  cancelled: 'Cancelled before it was sent.',
  expired: 'It was not sent in time.',
  unknown: 'Nobody knows whether it was sent; and the channel says `onUnknown: Hold`, or no time is left.',
  dead_lettered: 'All attempts are spent, or the message cannot be used; its record is on the dead letters.',
} as const satisfies Partial<Record<DeliveryStatus, string>>

export type EventStatus = keyof typeof eventStatuses

const statuses = Object.keys(eventStatuses) as [EventStatus, ...EventStatus[]]

/** Whether a status is told of. */
export function isEventStatus(status: DeliveryStatus): status is EventStatus {
  return Object.hasOwn(eventStatuses, status)
}

/** Value of a record on `<prefix>.events`. */
export const deliveryEventSchema = z.object({
  delivery_id: z
    .string()
    .describe('`dlv_…`, as the API shows it. Also the key of the record and `ce_subject`.'),
  notification_id: z.string().describe('`ntf_…`, as the API shows it.'),
  namespace: z.string(),
  channel: z.string().describe('Name of the channel.'),
  type: z.enum(channelTypes).describe('Type of the channel.'),
  status: z.enum(statuses),
  reason: z.enum(reasons).optional().describe('Why it has this status, where there is something to say.'),
  attempt: z.int().describe('Counts from 1; 0 before the first.'),
  replay: z.int().describe('How many times the delivery had been replayed. 0: never.'),
})

export type DeliveryEvent = z.infer<typeof deliveryEventSchema>

export const eventType = (status: EventStatus) => `dev.carillon.delivery.${status}.v1`

/** One change of a delivery's status, as those who make it know it. */
export interface StatusChange {
  /** The delivery's uuid. */
  id: string
  /** `ntf_…`. */
  notification: string
  namespace: string
  channel: string
  type: DeliveryEvent['type']
  status: EventStatus
  reason: Reason | null
  attempt: number
  replay: number
}

/**
 * The record of a change. Its `ce_id` is made of the change itself: one that is told twice has the same, and readers drop the second.
 * @param now milliseconds since the epoch: when it is told
 */
export function encodeEvent(
  prefix: string,
  change: StatusChange,
  now: number,
  trace: TraceHeaders = {},
): RecordToProduce {
  const { id, notification, namespace, channel, type, status, reason, attempt, replay } = change
  const delivery = formatDeliveryId(id)
  const body: DeliveryEvent = {
    delivery_id: delivery,
    notification_id: notification,
    namespace,
    channel,
    type,
    status,
    ...(reason !== null && { reason }),
    attempt,
    replay,
  }
  return {
    topic: eventsTopic(prefix),
    key: delivery,
    value: Buffer.from(JSON.stringify(body)),
    headers: {
      [header.version]: String(envelopeVersion),
      ce_specversion: '1.0',
      ce_id: `${delivery}/${replay}/${attempt}/${status}`,
      ce_source: `/carillon/${namespace}`,
      ce_type: eventType(status),
      ce_subject: delivery,
      ce_time: new Date(now).toISOString(),
      'content-type': 'application/json',
      ...trace,
    },
  }
}
