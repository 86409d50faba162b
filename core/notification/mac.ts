import { hash } from 'node:crypto'

/** A key of HMAC-SHA-256: what stands before the message and before its hash (RFC 2104, section 2). */
export interface MacKey {
  inner: Buffer
  outer: Buffer
}

const blockBytes = 64

/** @param key at most 64 bytes */
export function macKey(key: Buffer): MacKey {
  const block = Buffer.alloc(blockBytes)
  key.copy(block)
  return {
    inner: Buffer.from(block.map((byte) => byte ^ 0x36)),
    outer: Buffer.from(block.map((byte) => byte ^ 0x5c)),
  }
}

/** HMAC-SHA-256, by one-shot hashes: under load an object of `createHmac` costs more to make and to collect than what it computes. */
export function mac({ inner, outer }: MacKey, message: Uint8Array): Buffer {
  const digest = hash('sha256', Buffer.concat([inner, message]), 'buffer')
  return hash('sha256', Buffer.concat([outer, digest]), 'buffer')
}
