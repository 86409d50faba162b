import type { RecordHeaders } from '../../broker.ts'
import { crc32C } from '../kafkajs.ts'

export interface RecordFields {
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeaders | undefined
}

/** What stands before the records, of which the sum is taken from `ATTRIBUTES_AT` on. */
const HEADER_BYTES = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAGIC = 2

/**
 * A record batch of Kafka's format 2 (KIP-98): not compressed, of no transaction and no idempotent producer. Written into one buffer,
 * because kafkajs makes one for each record, header and number. @param timestamp milliseconds since the epoch, of all records
 */
export function encodeRecordBatch(records: readonly RecordFields[], timestamp: number): Buffer {
  const sizes = records.map(sizeOfRecord)
  const size = sizes.reduce((sum, body) => sum + sizeOfVarint(body) + body, HEADER_BYTES)
  const batch = Buffer.alloc(size)
  batch.writeInt32BE(size - LENGTH_AT - 4, LENGTH_AT)
  batch[MAGIC_AT] = MAGIC
  batch.writeInt32BE(records.length - 1, ATTRIBUTES_AT + 2)
  batch.writeBigInt64BE(BigInt(timestamp), ATTRIBUTES_AT + 6)
  batch.writeBigInt64BE(BigInt(timestamp), ATTRIBUTES_AT + 14)
  batch.writeBigInt64BE(-1n, ATTRIBUTES_AT + 22)
  batch.writeInt32BE(records.length, HEADER_BYTES - 4)

  let at = HEADER_BYTES
  records.forEach(({ key, value, headers = {} }, index) => {
    at = writeVarint(batch, sizes[index]!, at)
    // Attributes and the difference to the timestamp of the batch: 0 and 0.
    at = writeVarint(batch, index, at + 2)
    at = writeBytes(batch, key, at)
    at = writeBytes(batch, value, at)
    const names = Object.keys(headers)
    at = writeVarint(batch, names.length, at)
    for (const name of names) at = writeBytes(batch, headers[name]!, writeBytes(batch, name, at))
  })
  batch.writeUInt32BE(crc32C(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

function sizeOfRecord({ key, value, headers = {} }: RecordFields, index: number): number {
  const names = Object.keys(headers)
  let size = 2 + sizeOfVarint(index) + sizeOfBytes(key) + sizeOfBytes(value) + sizeOfVarint(names.length)
  for (const name of names) size += sizeOfBytes(name) + sizeOfBytes(headers[name]!)
  return size
}

function sizeOfBytes(bytes: Buffer | string | null): number {
  const length = bytes === null ? -1 : Buffer.byteLength(bytes)
  return sizeOfVarint(length) + Math.max(length, 0)
}

/** Answers where it ends. Without bytes the length is -1. */
function writeBytes(batch: Buffer, bytes: Buffer | string | null, at: number): number {
  if (bytes === null) return writeVarint(batch, -1, at)
  const start = writeVarint(batch, Buffer.byteLength(bytes), at)
  return start + (typeof bytes === 'string' ? batch.write(bytes, start) : bytes.copy(batch, start))
}

/** Numbers of 32 bits in as few bytes as they need, seven bits in each; the sign is the lowest bit (zigzag). */
function writeVarint(batch: Buffer, value: number, at: number): number {
  let rest = zigzag(value)
  let end = at
  for (; rest > 0x7f; rest >>>= 7) batch[end++] = (rest & 0x7f) | 0x80
  batch[end++] = rest
  return end
}

function sizeOfVarint(value: number): number {
  let size = 1
  for (let rest = zigzag(value); rest > 0x7f; rest >>>= 7) size++
  return size
}

const zigzag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0
