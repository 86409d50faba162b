import { expect, it } from 'vitest'
import { deliveryStatuses } from '../notification/status.ts'
import {
  deliveryEventSchema,
  encodeEvent,
  eventStatuses,
  isEventStatus,
  type StatusChange,
} from './delivery-event.ts'

const change: StatusChange = {
  id: '0f0e0d0c-0b0a-8908-8706-050403020100',
  notification: 'ntf_1',
  namespace: 'shop',
  channel: 'email',
  type: 'email',
  status: 'retrying',
  reason: 'throttled',
  attempt: 2,
  replay: 1,
}
const now = Date.parse('2026-11-21T05:00:00Z')
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** The bytes of version 1, which readers outside of this house rely on. */
const golden = {
  value:
    '{"delivery_id":"dlv_1w70t30b1a4gh1r60m2060g100","notification_id":"ntf_1","namespace":"shop","channel":"email","type":"email","status":"retrying","reason":"throttled","attempt":2,"replay":1}',
  headers: {
    'carillon-envelope': '1',
    ce_specversion: '1.0',
    ce_id: 'dlv_1w70t30b1a4gh1r60m2060g100/1/2/retrying',
    ce_source: '/carillon/shop',
    ce_type: 'dev.carillon.delivery.retrying.v1',
    ce_subject: 'dlv_1w70t30b1a4gh1r60m2060g100',
    ce_time: '2026-11-21T05:00:00.000Z',
    'content-type': 'application/json',
    traceparent,
  },
}

it('is written in exactly these bytes, which its schema describes', () => {
  const record = encodeEvent('p', change, now, { traceparent })
  expect(record).toMatchObject({ topic: 'p.events', key: golden.headers.ce_subject })
  expect(record.value!.toString()).toBe(golden.value)
  expect(record.headers).toEqual(golden.headers)
  expect(deliveryEventSchema.strict().safeParse(JSON.parse(golden.value)).success).toBe(true)
})

it('has no reason where there is nothing to say, and no trace where there is none', () => {
  const { value, headers } = encodeEvent('p', { ...change, reason: null }, now)
  expect(JSON.parse(value!.toString())).not.toHaveProperty('reason')
  expect(headers).not.toHaveProperty('traceparent')
})

it('has the same id when it is told again, and another for every other change', () => {
  const idOf = (other: Partial<StatusChange>, at = now) =>
    encodeEvent('p', { ...change, ...other }, at).headers!['ce_id']
  expect(idOf({}, now + 60_000)).toBe(idOf({}))
  const others = [
    { attempt: 3 },
    { replay: 0 },
    { status: 'sent' as const },
    { id: '0f0e0d0c-0b0a-8908-8706-050403020101' },
  ]
  expect(new Set([{}, ...others].map((other) => idOf(other))).size).toBe(5)
})

it('is there for every status but those that nothing sets yet, and `sending`', () => {
  const silent = deliveryStatuses.filter((status) => !isEventStatus(status))
  expect(silent).toEqual(['accepted', 'scheduled', 'sending', 'delivered', 'bounced'])
  expect(Object.keys(eventStatuses)).toHaveLength(deliveryStatuses.length - silent.length)
})
