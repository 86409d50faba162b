import { promises as dns, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import ipaddr from 'ipaddr.js'
import { buildConnector } from 'undici'

/** The code of an outcome whose target the guard refused. */
export const ssrfBlocked = 'ssrf_blocked'

/** The target may not be called. Says nothing of the address, which would map our network for whoever chose the name. */
export class BlockedTarget extends Error {
  readonly code = ssrfBlocked
  constructor() {
    super('the target is neither a public https address nor in allowedNetworks')
  }
}

export interface GuardOptions {
  /** CIDRs that may be called though they are not public, also over plain http. */
  allowedNetworks: readonly string[]
  /** All addresses of a name. Default: the resolver of the system. */
  resolve?: (hostname: string) => Promise<LookupAddress[]>
}

export interface GuardedConnector {
  /** For `connect` of an undici Agent. */
  connect: buildConnector.connector
  /** Ends connections still being made, which the Agent's own `destroy()` does not reach. */
  destroy(): void
}

/** Time a connection may take, in milliseconds. The signal of a send ends the wait for it earlier. */
const connectTimeout = 10_000

/**
 * Keeps requests to addresses that others choose (server-side request forgery) away from everything that is not public. The
 * check is made where the connection is made: a name is resolved once, every answer must pass, and the socket goes to exactly
 * those answers, so a name that changes between check and use (DNS rebinding) gains nothing. Fails with `BlockedTarget`.
 */
export function guardedConnector({ allowedNetworks, resolve = resolveAll }: GuardOptions): GuardedConnector {
  const networks = allowedNetworks.map((network) => ipaddr.parseCIDR(network))
  const opening = new Set<Socket>()
  const open = { 'http:': openerFor('http:'), 'https:': openerFor('https:') }

  function isAllowed(text: string, protocol: string): boolean {
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    const listed = networks.some(
      ([network, bits]) => address.kind() === network.kind() && address.match(network, bits),
    )
    return listed || (protocol === 'https:' && isPublic(address))
  }

  function openerFor(protocol: string): buildConnector.connector {
    const lookup: LookupFunction = (hostname, options, callback) => {
      resolve(hostname).then(
        (addresses) => {
          const [first] = addresses
          const blocked =
            first === undefined || !addresses.every(({ address }) => isAllowed(address, protocol))
          if (blocked) callback(new BlockedTarget(), [])
          else if (options.all) callback(null, addresses)
          else callback(null, first.address, first.family)
        },
        (error: unknown) => callback(error as NodeJS.ErrnoException, []),
      )
    }
    return buildConnector({ allowH2: false, timeout: connectTimeout, lookup })
  }

  return {
    connect(options, callback) {
      const protocol = options.protocol === 'https:' ? 'https:' : 'http:'
      const literal = isIP(options.hostname) !== 0
      // Node does not look a literal address up, so it has to be checked here.
      if (!isAllowedPort(options.port) || (literal && !isAllowed(options.hostname, protocol))) {
        callback(new BlockedTarget(), null)
        return
      }
      // undici returns the socket, though its types do not say so.
      const socket = open[protocol](options, callback) as unknown as Socket
      opening.add(socket)
      const forget = () => opening.delete(socket)
      socket.once('connect', () => protocol === 'http:' && forget())
      socket.once('secureConnect', forget)
      socket.once('close', forget)
    },
    destroy() {
      for (const socket of opening) socket.destroy()
    },
  }
}

/**
 * The URL to call, or `undefined` for what is none that may be: another scheme than http and https, or with credentials. WHATWG
 * parsing turns `127.1`, `0x7f.1`, `2130706433` and `[::ffff:127.0.0.1]` into the addresses they are, for the connector to judge.
 */
export function parseTarget(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined
  return url.username === '' && url.password === '' ? url : undefined
}

/** The web's own ports and the unprivileged ones: what is left out (SSH, SMTP, DNS, NFS…) speaks no HTTP worth calling. */
function isAllowedPort(text: string): boolean {
  const port = Number(text || 443)
  return port === 80 || port === 443 || port >= 1024
}

/** Azure serves its virtual machines their platform API, metadata included, on this public address. */
const azurePlatform = '168.63.129.16'

/**
 * Whether an address is globally reachable (IANA special-purpose registries, as ipaddr.js has them). Of IPv6 only 2000::/3 is
 * assigned for that; transition addresses (6to4, Teredo, NAT64), which carry an IPv4 address of any kind, are not public.
 */
export function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast' || address.toString() === azurePlatform) return false
  return address.kind() === 'ipv4' || address.match(ipaddr.parseCIDR('2000::/3'))
}

function resolveAll(hostname: string): Promise<LookupAddress[]> {
  return dns.lookup(hostname, { all: true })
}
