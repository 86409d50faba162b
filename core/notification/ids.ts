import { hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { type MacKey, mac, macKey } from './mac.ts'

/**
 * Ids. A notification's id is known before anything is written: from the tenant and the Idempotency-Key when there is one
 * (uuidv5, RFC 9562 5.5), else time-ordered (uuidv7, RFC 9562 5.7). A delivery's id is derived from its notification, recipient and
 * channel, so a repeated request makes the same deliveries and the ledger drops them.
 */

const macBytes = 5
const publicNotification = /^ntf_[0-9a-hjkmnp-tv-z]{34}$/
const publicDelivery = /^dlv_[0-9a-hjkmnp-tv-z]{26}$/
const publicReplay = /^rpl_[0-9a-hjkmnp-tv-z]{26}$/
/** Namespace of uuidv5 ids, itself a random uuid that is part of the format and never changes. */
const idempotencyNamespace = Buffer.from('6f2b6f0a3c6b4f0d9d0c5d1a9f3e7b42', 'hex')

/**
 * Keys derived from the install's one secret. Whoever has them can issue notification ids and link record keys to people.
 */
export interface InstallKeys {
  /** Names the install, and tells nothing of its secret. */
  installId: string
  notificationMac: MacKey
  recordKey: MacKey
}

/** @param secret at least 32 random bytes, the same for every process of the install and for its whole life. */
export function deriveInstallKeys(secret: Buffer): InstallKeys {
  if (secret.length < 32) throw new RangeError('the install key must have at least 32 bytes')
  const derive = (purpose: string, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, '', `carillon ${purpose}`, bytes))
  return {
    installId: derive('install id', 16).toString('hex'),
    notificationMac: macKey(derive('notification mac', 32)),
    recordKey: macKey(derive('record key', 32)),
  }
}

/** The id that a request with an Idempotency-Key always gets. */
export function notificationIdFromKey(tenant: string, idempotencyKey: string): string {
  const name = Buffer.from(`${tenant}\0${idempotencyKey}`)
  const digest = hash('sha1', Buffer.concat([idempotencyNamespace, name]), 'buffer')
  return formatUuid(digest.subarray(0, 16), 5)
}

/** A new time-ordered id. @param now milliseconds since the epoch @param random 10 random bytes */
export function newNotificationId(now: number, random: Buffer): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(now, 0, 6)
  random.copy(bytes, 6, 0, 10)
  return formatUuid(bytes, 7)
}

/** The id of a delivery: a request that is planned again gets the same deliveries. @param recipient in canonical form */
export function deliveryIdFor(notificationId: string, recipient: string, channel: string): string {
  const digest = hash('sha256', `${notificationId}\0${recipient}\0${channel}`, 'buffer')
  return formatUuid(digest.subarray(0, 16), 8)
}

/** An id for a record that has none, from where it is in the log. @param origin `topic/partition/offset` */
export function recordIdFor(origin: string): string {
  return formatUuid(hash('sha256', origin, 'buffer').subarray(0, 16), 8)
}

/** `ntf_…`: the id and a short MAC over it and the tenant, so that an id we never issued to this tenant is told apart without a read. */
export function formatNotificationId(keys: InstallKeys, tenant: string, id: string): string {
  const bytes = uuidBytes(id)
  return `ntf_${base32(Buffer.concat([bytes, notificationMac(keys, tenant, bytes)]))}`
}

/** The uuid inside, or `undefined` for a text that is no id that we issued to this tenant. */
export function parseNotificationId(keys: InstallKeys, tenant: string, text: string): string | undefined {
  const bytes = publicNotification.test(text) ? fromBase32(text.slice(4), 16 + macBytes) : undefined
  if (bytes === undefined) return undefined
  const id = bytes.subarray(0, 16)
  if (!timingSafeEqual(bytes.subarray(16), notificationMac(keys, tenant, id))) return undefined
  return toUuidText(id)
}

/** The public form of a delivery's id: `dlv_…`. */
export function formatDeliveryId(id: string): string {
  return `dlv_${base32(uuidBytes(id))}`
}

/** The uuid inside, or `undefined` for a text of another form. */
export function parseDeliveryId(text: string): string | undefined {
  return publicDelivery.test(text) ? uuidFromBase32(text.slice(4)) : undefined
}

/** The public form of a replay's id: `rpl_…`. */
export function formatReplayId(id: string): string {
  return `rpl_${base32(uuidBytes(id))}`
}

/** The uuid inside, or `undefined` for a text of another form. */
export function parseReplayId(text: string): string | undefined {
  return publicReplay.test(text) ? uuidFromBase32(text.slice(4)) : undefined
}

/** The key of a record: equal for equal tenant and recipient, and no way back to the address. */
export function recordKey(keys: InstallKeys, tenant: string, recipient: string): string {
  return mac(keys.recordKey, Buffer.from(`${tenant}\0${recipient}`))
    .subarray(0, 16)
    .toString('base64url')
}

function notificationMac(keys: InstallKeys, tenant: string, id: Buffer): Buffer {
  return mac(keys.notificationMac, Buffer.concat([Buffer.from(`${tenant}\0`), id])).subarray(0, macBytes)
}

function formatUuid(source: Buffer, version: number): string {
  const bytes = Buffer.from(source)
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return toUuidText(bytes)
}

function toUuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function uuidBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

/** Crockford's base 32, lower case: no letters that read alike, safe in URLs and on the phone. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

function base32(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(value >>> bits) & 31]
    }
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text
}

function uuidFromBase32(text: string): string | undefined {
  const bytes = fromBase32(text, 16)
  return bytes && toUuidText(bytes)
}

/** `undefined` where the last letter has bits that stand for nothing: the same id would have several names. */
function fromBase32(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length)
  let at = 0
  let bits = 0
  let value = 0
  for (const letter of text) {
    value = ((value << 5) | alphabet.indexOf(letter)) & 0xfff
    bits += 5
    if (bits >= 8 && at < length) {
      bits -= 8
      bytes[at++] = (value >>> bits) & 0xff
    }
  }
  return (value & ((1 << bits) - 1)) === 0 ? bytes : undefined
}
