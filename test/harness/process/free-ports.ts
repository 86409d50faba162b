import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Ports below those that a system gives to outgoing connections (from 32768 on Linux, from 49152 elsewhere): nobody is given one of these by
 * accident before its program has begun to listen.
 */
const ports = { first: 15_000, last: 31_999 }
/** Blocks of ports, one for each worker of a test run: files that run side by side take none from each other. */
const blocks = 16

const size = Math.floor((ports.last - ports.first + 1) / blocks)
const block = Number(process.env['VITEST_POOL_ID'] ?? 0) % blocks
// Other runs on this machine have the same blocks.
let turn = Math.floor(Math.random() * size)

/** Ports of loopback that nothing listens on; none is answered twice before all have been. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  for (let tries = 0; found.length < count; tries++) {
    if (tries === size) throw new Error('no port of loopback is free')
    const port = ports.first + block * size + (turn++ % size)
    if (await isFree(port)) found.push(port)
  }
  return found
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await new Promise((resolve) => server.close(resolve))
  return true
}
