import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DeliveryEnvelope,
  decodeDelivery,
  decodeRequest,
  encodeDelivery,
  encodeRequest,
  header,
  numberHeader,
  type RequestEnvelope,
} from './envelope.ts'

const request: RequestEnvelope = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  body_hash: 'ab'.repeat(32),
  tenant: 'shop',
  to: [{ user_id: 'u_42' }, { email: 'ops@example.com' }],
  channels: ['email'],
  template: { name: 'order-shipped', revision: '3f9c2a', locale: 'de' },
  data: { order_id: '123' },
  category: 'orders',
  metadata: { trace: 'x' },
  accepted_at: '2026-11-21T05:00:00.000Z',
  expires_at: '2026-12-02T00:00:00.000Z',
}

const delivery: DeliveryEnvelope = {
  tenant: 'shop',
  content: { subject: 'Hi', text: 'Hello' },
  data: {},
  metadata: {},
  accepted_at: '2026-11-21T05:00:00.000Z',
  id: '0f0e0d0c-0b0a-8908-8706-050403020100',
  notification_id: '01890a5d-ac96-774b-bcce-b302099a8057',
  notification: 'ntf_1',
  channel: 'email',
  channel_type: 'email',
  recipient: 'user:u_42',
  address: 'ada@example.com',
  user: { id: 'u_42', name: 'Ada' },
}

/** The bytes of version 1 as they are in logs out there. A new version gets its own; these stay, and stay readable. */
const golden = {
  request:
    '{"id":"01890a5d-ac96-774b-bcce-b302099a8057","body_hash":"abababababababababababababababababababababababababababababababab","tenant":"shop","to":[{"user_id":"u_42"},{"email":"ops@example.com"}],"channels":["email"],"template":{"name":"order-shipped","revision":"3f9c2a","locale":"de"},"data":{"order_id":"123"},"category":"orders","metadata":{"trace":"x"},"accepted_at":"2026-11-21T05:00:00.000Z","expires_at":"2026-12-02T00:00:00.000Z"}',
  requestHeaders: {
    'carillon-envelope': '1',
    ce_specversion: '1.0',
    ce_id: '01890a5d-ac96-774b-bcce-b302099a8057',
    ce_source: '/carillon/shop',
    ce_type: 'dev.carillon.notification.requested.v1',
    ce_time: '2026-11-21T05:00:00.000Z',
    'content-type': 'application/json',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  },
  delivery:
    '{"tenant":"shop","content":{"subject":"Hi","text":"Hello"},"data":{},"metadata":{},"accepted_at":"2026-11-21T05:00:00.000Z","id":"0f0e0d0c-0b0a-8908-8706-050403020100","notification_id":"01890a5d-ac96-774b-bcce-b302099a8057","notification":"ntf_1","channel":"email","channel_type":"email","recipient":"user:u_42","address":"ada@example.com","user":{"id":"u_42","name":"Ada"}}',
  deliveryHeaders: {
    'carillon-envelope': '1',
    ce_specversion: '1.0',
    ce_id: '0f0e0d0c-0b0a-8908-8706-050403020100',
    ce_source: '/carillon/shop',
    ce_type: 'dev.carillon.delivery.requested.v1',
    ce_time: '2026-11-21T05:00:00.000Z',
    'content-type': 'application/json',
  },
}

describe('envelopes', () => {
  it('are written in exactly these bytes', () => {
    const written = encodeRequest(request, { traceparent: golden.requestHeaders.traceparent })
    expect(written.value.toString()).toBe(golden.request)
    expect(written.headers).toEqual(golden.requestHeaders)
    const sent = encodeDelivery(delivery)
    expect(sent.value.toString()).toBe(golden.delivery)
    expect(sent.headers).toEqual(golden.deliveryHeaders)
  })

  it('are read from exactly these bytes', () => {
    expect(decodeRequest(Buffer.from(golden.request), golden.requestHeaders)).toEqual({
      kind: 'ok',
      envelope: request,
    })
    expect(decodeDelivery(Buffer.from(golden.delivery), golden.deliveryHeaders)).toEqual({
      kind: 'ok',
      envelope: delivery,
    })
  })

  it('let a reader tell what a newer version wrote, and pass over fields that it does not know', () => {
    const newer = { ...golden.requestHeaders, [header.version]: '2' }
    expect(decodeRequest(Buffer.from([1, 2, 3]), newer)).toEqual({ kind: 'unknown_version', version: '2' })
    const grown = JSON.stringify({ ...request, later: true })
    expect(decodeRequest(Buffer.from(grown), golden.requestHeaders)).toEqual({
      kind: 'ok',
      envelope: request,
    })
  })

  it('are poison when no reader will ever understand them, whatever the bytes are', () => {
    const { [header.version]: _version, ...unversioned } = golden.requestHeaders
    expect(decodeRequest(Buffer.from(golden.request), unversioned)).toMatchObject({ kind: 'poison' })
    expect(decodeRequest(null, golden.requestHeaders)).toMatchObject({ kind: 'poison' })
    expect(decodeRequest(Buffer.from('{}'), golden.requestHeaders)).toMatchObject({
      kind: 'poison',
      detail: expect.stringMatching(/^\/\w+: /) as string,
    })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, version) => {
        const read = decodeDelivery(Buffer.from(bytes), { [header.version]: version })
        expect(read.kind).toBe(version !== '1' && /^\d{1,4}$/.test(version) ? 'unknown_version' : 'poison')
      }),
    )
  })
})

describe('numberHeader', () => {
  it('reads whole numbers, and tells what is none', () => {
    expect(numberHeader({ a: '17' }, 'a', 1)).toBe(17)
    expect(numberHeader({}, 'a', 1)).toBe(1)
    for (const text of ['', '-1', '1.5', '1e3', 'x', '9'.repeat(16)])
      expect(numberHeader({ a: text }, 'a', 1)).toBeUndefined()
  })
})
