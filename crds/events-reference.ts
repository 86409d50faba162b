import { z } from 'zod'
import {
  deliveryEventSchema,
  encodeEvent,
  type EventStatus,
  eventStatuses,
  eventType,
  type StatusChange,
} from '../core/events/delivery-event.ts'

const example: StatusChange = {
  id: '0f0e0d0c-0b0a-8908-8706-050403020100',
  notification: 'ntf_067nhxg0znrqh8ssm9zm9qbm4r00000000',
  namespace: 'shop',
  channel: 'email',
  type: 'email',
  status: 'retrying',
  reason: 'throttled',
  attempt: 2,
  replay: 0,
}

/** The page of every event, from its schema and from what is written. */
export function eventsReference(): string {
  const { headers = {}, key, value } = encodeEvent('carillon', example, Date.parse('2026-11-30T09:00:00Z'))
  const rows = Object.entries(eventStatuses).map(
    ([status, when]) => `| \`${eventType(status as EventStatus)}\` | ${when} |`,
  )
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}`)
  const body = JSON.stringify(JSON.parse(value!.toString()), null, 2)
  return [
    '# Events',
    'On `<prefix>.events`, one record for each change of a delivery. `docs/concepts/events.md` says what may be relied on.',
    ['| `ce_type` | when |', '|---|---|', ...rows].join('\n'),
    `## A record\n\nKey: \`${key}\`. Headers, to which \`traceparent\` comes when traces are made:\n\n\`\`\`\n${lines.join('\n')}\n\`\`\`\n\nValue:\n\n\`\`\`json\n${body}\n\`\`\``,
    '## JSON Schema of the value\n\n`docs/reference/schemas/delivery-event.schema.json`. Fields may be added; a reader passes over those that it does not know.',
  ].join('\n\n')
}

/** JSON Schema of the value of an event. */
export function eventSchema(): object {
  return z.toJSONSchema(deliveryEventSchema, { target: 'draft-2020-12', io: 'input' })
}
