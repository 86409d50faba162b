import { describe, expect, it } from 'vitest'
import { murmur2, partitionForKey } from './partitioner.ts'

// From Kafka's own UtilsTest#testMurmur2.
const golden: readonly [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

describe('partitioner', () => {
  it.each(golden)('hashes %s as the Java client does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash)
  })

  it('clears the sign bit instead of taking the absolute value', () => {
    expect(partitionForKey('21', 1000)).toBe((-973932308 & 0x7fffffff) % 1000)
    expect(partitionForKey('21', 1000)).not.toBe(973932308 % 1000)
  })

  it('hashes the UTF-8 bytes of a key', () => {
    expect(partitionForKey('é', 0x7fffffff)).toBe(murmur2(Buffer.from([0xc3, 0xa9])) & 0x7fffffff)
  })
})
