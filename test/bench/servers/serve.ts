import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { awaitTermination } from '../../../core/process/signals.ts'

/** Listens on a free port of loopback, says where on standard output, and answers until SIGTERM. */
export async function serve(app: FastifyInstance, stop: () => Promise<void>): Promise<void> {
  const { requested } = awaitTermination()
  await app.listen({ host: '127.0.0.1', port: 0 })
  process.stdout.write(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}\n`)
  await requested
  await app.close()
  await stop()
}
