import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  deliveryIdFor,
  deriveInstallKeys,
  formatDeliveryId,
  formatNotificationId,
  formatReplayId,
  newNotificationId,
  notificationIdFromKey,
  parseDeliveryId,
  parseNotificationId,
  recordKey,
} from './ids.ts'

const keys = deriveInstallKeys(Buffer.alloc(32, 7))
const otherKeys = deriveInstallKeys(Buffer.alloc(32, 8))

/** The texts that differ from this one in the last letter alone. Some of its bits stand for nothing. */
const namesLike = (text: string) =>
  Array.from('0123456789abcdefghjkmnpqrstvwxyz')
    .map((letter) => text.slice(0, -1) + letter)
    .filter((other) => other !== text)

describe('notification ids', () => {
  it('come from the tenant and the key, so a repeat gets the same one', () => {
    const id = notificationIdFromKey('shop', 'order-1')
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(notificationIdFromKey('shop', 'order-1')).toBe(id)
    expect(notificationIdFromKey('other', 'order-1')).not.toBe(id)
    // Part of the format: a change would let a repeat through as a new notification.
    expect(id).toBe('fe2977a0-b0c4-5513-97ff-e2c2e4f5ab5c')
  })

  it('are time-ordered without a key', () => {
    const early = newNotificationId(1_000, Buffer.alloc(10, 255))
    const late = newNotificationId(1_001, Buffer.alloc(10, 0))
    expect(early < late).toBe(true)
    expect(late).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  })

  it('are told from ids that were never issued to the tenant', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 10 }), fc.nat(), (random, now) => {
        const id = newNotificationId(now, Buffer.from(random))
        const text = formatNotificationId(keys, 'shop', id)
        expect(text).toHaveLength(38)
        expect(parseNotificationId(keys, 'shop', text)).toBe(id)
        expect(parseNotificationId(keys, 'other', text)).toBeUndefined()
        expect(parseNotificationId(otherKeys, 'shop', text)).toBeUndefined()
        for (const other of namesLike(text)) expect(parseNotificationId(keys, 'shop', other)).toBeUndefined()
      }),
    )
    for (const text of ['', 'ntf_', 'ntf_ilou', 'dlv_0000', `ntf_${'0'.repeat(34)}`, `ntf_${'u'.repeat(34)}`])
      expect(parseNotificationId(keys, 'shop', text)).toBeUndefined()
  })
})

describe('delivery ids', () => {
  it('depend on notification, recipient and channel, and on nothing else', () => {
    const id = deliveryIdFor('n', 'user:u_1', 'email')
    expect(deliveryIdFor('n', 'user:u_1', 'email')).toBe(id)
    expect(
      new Set([
        id,
        deliveryIdFor('m', 'user:u_1', 'email'),
        deliveryIdFor('n', 'user:u_2', 'email'),
        deliveryIdFor('n', 'user:u_1', 'sms'),
      ]).size,
    ).toBe(4)
    expect(parseDeliveryId(formatDeliveryId(id))).toBe(id)
    expect(namesLike(formatDeliveryId(id)).map(parseDeliveryId)).not.toContain(id)
    expect(parseDeliveryId('dlv_x')).toBeUndefined()
  })
})

describe('record keys', () => {
  it('are equal for the same recipient of a tenant and do not show the address', () => {
    const key = recordKey(keys, 'shop', 'email:ada@example.com')
    expect(recordKey(keys, 'shop', 'email:ada@example.com')).toBe(key)
    expect(recordKey(keys, 'other', 'email:ada@example.com')).not.toBe(key)
    expect(recordKey(otherKeys, 'shop', 'email:ada@example.com')).not.toBe(key)
    expect(key).toMatch(/^[\w-]{22}$/)
  })
})

/**
 * What of version 1 is in logs, tables and clients out there: with another way to make them a request that is planned again would be sent again, an id of yesterday would
 * not be known, and messages to one person would come out of order.
 */
describe('an install keeps', () => {
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  const delivery = 'cfd773d7-35c0-846c-9208-3ca521273b71'
  it.each([
    ['its own id', keys.installId, '3a1215bd3d95a5df89bb6216dfc96fec'],
    [
      'those of notifications',
      formatNotificationId(keys, 'shop', id),
      'ntf_064gmqdcjsvmqf6epc10k6m0ay5bc3pvjm',
    ],
    ['those of deliveries', deliveryIdFor(id, 'user:u_42', 'email'), delivery],
    ['their form in the API', formatDeliveryId(delivery), 'dlv_szbq7nsnr226s4g87jjj29sve4'],
    ['those of replays', formatReplayId(id), 'rpl_064gmqdcjsvmqf6epc10k6m0aw'],
    ['the keys of records', recordKey(keys, 'shop', 'user:u_42'), 'DyBaKc94neodeh8WPtCuZA'],
  ])('%s', (_, made, golden) => {
    expect(made).toBe(golden)
  })
})
