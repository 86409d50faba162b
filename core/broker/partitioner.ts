const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995
const ROTATION = 24

/**
 * The 32-bit murmur2 hash of Kafka's Java client (`org.apache.kafka.common.utils.Utils#murmur2`), as a signed integer.
 * Every client must agree on it, or one key would live in two partitions.
 */
export function murmur2(data: Uint8Array): number {
  const words = data.length >> 2
  let hash = SEED ^ data.length
  for (let word = 0; word < words; word++) {
    const at = word * 4
    let k =
      byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24)
    k = Math.imul(k, MULTIPLIER)
    k ^= k >>> ROTATION
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(k, MULTIPLIER)
  }

  const tail = words * 4
  const left = data.length - tail
  if (left === 3) hash ^= byte(data, tail + 2) << 16
  if (left >= 2) hash ^= byte(data, tail + 1) << 8
  if (left >= 1) hash = Math.imul(hash ^ byte(data, tail), MULTIPLIER)

  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

function byte(data: Uint8Array, index: number): number {
  return data[index] ?? 0
}

/** The partition that Kafka's default partitioner gives to a key: `toPositive(murmur2(UTF-8 bytes)) % partitions`. */
export function partitionForKey(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions
}
