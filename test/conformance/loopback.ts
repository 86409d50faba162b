import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

/**
 * For 127.0.0.1 and no name, its own authority, valid until 2126. Made with `openssl req -x509 -newkey ec -pkeyopt
 * ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=loopback -addext subjectAltName=IP:127.0.0.1`. It guards nothing.
 */
export const certificate = {
  cert: readFileSync(new URL('./tls/loopback.pem', import.meta.url), 'utf8'),
  key: readFileSync(new URL('./tls/loopback-key.pem', import.meta.url), 'utf8'),
}

/** Makes this process trust `certificate` as it trusts the authorities of the web. */
export function trustCertificate(): void {
  setDefaultCACertificates([...getCACertificates('default'), certificate.cert])
}

/** A name that cannot exist: no label may have more than 63 octets (RFC 1035 2.3.4), so no query leaves the machine. */
export const impossibleName = `${'x'.repeat(64)}.invalid`

export interface Loopback {
  port: number
  connections(): { total: number; open: number }
  close(): Promise<void>
}

/** Puts a server on a free port of the loopback interface and counts its connections. */
export async function listen(server: Server | HttpServer): Promise<Loopback> {
  const sockets = new Set<Socket>()
  let total = 0
  server.on('connection', (socket: Socket) => {
    total += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => ({ total, open: sockets.size }),
    async close() {
      if (!server.listening) return
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      else for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** A port that nobody listens on. */
export async function refusedPort(): Promise<number> {
  const { port, close } = await listen(createServer())
  await close()
  return port
}
