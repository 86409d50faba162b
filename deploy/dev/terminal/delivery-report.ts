import type { ConsumedRecord } from '../../../core/broker/broker.ts'
import { deliveryEventSchema, type EventStatus } from '../../../core/events/delivery-event.ts'
import type { Terminal } from './terminal.ts'

export interface DeliveryReportOptions {
  /** Base URL of the API. */
  url: string
  /** Milliseconds since the epoch: what happened before is old news. */
  since: number
  terminal: Terminal
}

/** What has arrived is seen where it arrives, and what was cancelled is no surprise. */
const words: Readonly<Partial<Record<EventStatus, string>>> = {
  retrying: 'is tried again',
  failed: 'failed',
  skipped: 'was not sent',
  expired: 'was not sent in time',
  unknown: 'may have been sent, or not',
  dead_lettered: 'is a dead letter',
}

/** Takes the records of the events topic, and says in one line what did not arrive, why, and where the rest of the story is. */
export function deliveryReport({ url, since, terminal }: DeliveryReportOptions) {
  return ({ value, timestamp }: ConsumedRecord): void => {
    if (value === null || timestamp < since) return
    const event = deliveryEventSchema.parse(JSON.parse(value.toString()))
    const what = words[event.status]
    if (what === undefined) return
    const why = event.reason === undefined ? '' : `: ${event.reason}`
    const story = terminal.style('dim', `${url}/v1/notifications/${event.notification_id}`)
    terminal.line(`${terminal.style('yellow', `! ${event.channel}`)} ${what}${why} ${story}`)
  }
}
