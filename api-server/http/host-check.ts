import { BlockList, isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { sendProblem } from './problem.ts'

/** IPv6 has many ways to write one address. */
const loopback = new BlockList()
loopback.addAddress('::1', 'ipv6')

/**
 * Refuses requests that were meant for another host. The API has no authentication yet and listens on loopback only; a web page can
 * still reach it from the browser of this machine, under a name of its own that points here (DNS rebinding).
 */
export function checkHost(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isLoopback(request.hostname)) return
    await sendProblem(reply, {
      status: 421,
      code: 'misdirected_request',
      detail: 'This API answers on this machine only: localhost, 127.0.0.1 or [::1].',
    })
  })
}

function isLoopback(host: string): boolean {
  const name = host.replaceAll(/[[\]]/g, '').toLowerCase()
  const family = isIP(name)
  if (family === 0) return name === 'localhost' || name.endsWith('.localhost')
  return family === 4 ? name.startsWith('127.') : loopback.check(name, 'ipv6')
}
