/** Bytes fetched at once: a call of the system's generator costs as much for these as for ten. */
const poolSize = 4_096

/** Hands out the bytes of `source` in pieces, each byte once. Pieces must be smaller than the pool. */
export function poolRandomBytes(source: (size: number) => Buffer): (size: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0)
  return (size) => {
    if (pool.length < size) pool = source(poolSize)
    const piece = pool.subarray(0, size)
    pool = pool.subarray(size)
    return piece
  }
}
