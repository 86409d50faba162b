import type { AddressInfo, Server } from 'node:net'
import type { ListenAddress } from '../settings/values.ts'
import { StartRefused } from '../settings/start-refused.ts'

/** What to say when an address cannot be listened on. `setting` is the one that gave the address. */
export function listenRefused(setting: string, { host, port }: ListenAddress, error: unknown): StartRefused {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === 'EADDRINUSE' ? 'is in use by another program; port 0 takes a free one' : message
  return new StartRefused(`${setting}: ${host}:${port} ${reason}`, 1, { cause: error })
}

/** The URL of a server that listens, with the port that it got. */
export function urlOf(server: Pick<Server, 'address'>, { host }: ListenAddress): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
