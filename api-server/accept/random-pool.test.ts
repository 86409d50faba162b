import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { poolRandomBytes } from './random-pool.ts'

it('hands out every byte of its source once, over the ends of pools too', () => {
  const pools: Buffer[] = []
  const random = poolRandomBytes((size) => {
    pools.push(randomBytes(size))
    return pools.at(-1)!
  })
  const pieces = Array.from({ length: 1_000 }, (_, index) => random(index % 2 === 0 ? 10 : 12))
  expect(pieces.every(({ length }, index) => length === (index % 2 === 0 ? 10 : 12))).toBe(true)

  let pool = 0
  let at = 0
  for (const piece of pieces) {
    if (at + piece.length > pools[pool]!.length) {
      pool += 1
      at = 0
    }
    expect(piece.equals(pools[pool]!.subarray(at, at + piece.length))).toBe(true)
    at += piece.length
  }
  expect(pools.length).toBe(pool + 1)
})
