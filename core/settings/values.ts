import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { durationPattern, parseDuration } from '../resources/duration.ts'

/** What the texts of settings may be, and what they are read as. Messages complete "NAME: must …". */

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export interface ListenAddress {
  host: string
  /** 0 takes any free port. */
  port: number
}

export const anyAddress = z.string().transform((text, context): ListenAddress => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT' })
    return z.NEVER
  }
  return { host, port }
})

export const loopbackAddress = anyAddress.refine(
  ({ host }) => isLoopback(host),
  'must be a loopback address until the API has authentication',
)

export const port = z
  .string()
  .refine(
    (text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535,
    'must be a port, 1 to 65535',
  )
  .transform(Number)

/** A flag that stands alone. */
export const alone = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .prefault('false')
  .transform((text) => text === 'true')

/** Without a slash at its end. */
export const httpUrl = z
  .string()
  .regex(/^https?:\/\/[^/?#\s]+[^?#\s]*$/, 'must be a URL such as http://127.0.0.1:8080')
  .transform((text) => text.replace(/\/+$/, ''))

/** Several values, separated by commas. */
export const commaList = z.string().transform((text) =>
  text
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== ''),
)

/** A point in time (RFC 3339), or how long ago it was. Read as milliseconds since the epoch. */
export const pointInTime = z.string().transform((text, context): number => {
  const at = durationPattern.test(text) ? Date.now() - parseDuration(text) : Date.parse(text)
  if (/^\d{4}-\d\d-\d\dT|^[\d.]+(ms|s|m|h)/.test(text) && !Number.isNaN(at)) return at
  context.addIssue({
    code: 'custom',
    message: 'must be a time such as 2026-11-30T08:00:00Z, or 2h for two hours ago',
  })
  return z.NEVER
})

/** A text in JSON that holds an object. */
export const jsonObject = z.string().transform((text, context): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  context.addIssue({ code: 'custom', message: `must be an object in JSON, such as {"username":"Ada"}` })
  return z.NEVER
})

/** A duration, read as milliseconds. */
export const milliseconds = z
  .string()
  .regex(durationPattern, 'must be a duration such as 30s or 5m')
  .transform(parseDuration)

export const path = z.string().transform((text) => resolve(text))

/** The levels of LOG_LEVEL, least urgent first. */
export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const
export type LogLevel = (typeof logLevels)[number]

/** The values of KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM: Kafka's own words (security.protocol, sasl.mechanism). */
export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof securityProtocols)[number]
export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

export const bootstrapServers = z
  .string({ error: 'must be set: HOST:PORT of one broker or more, separated by commas' })
  .transform((text) => text.split(',').map((server) => server.trim()))
  .refine(
    (servers) => servers.every((server) => /^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/.test(server)),
    'must be HOST:PORT of one broker or more, separated by commas',
  )

/** One word of a name in Kubernetes (RFC 1123 label). */
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'

export const namespaceName = z
  .string({ error: 'must be set: the namespace of the release' })
  .regex(new RegExp(`^${label}$`), 'must be the name of a namespace')

/** Names with commas between them; empty text is none. */
export const namespaceNames = z
  .string()
  .regex(new RegExp(`^${label}( *, *${label})*$`), 'must be names of namespaces, separated by commas')
  .transform((text) => text.split(',').map((name) => name.trim()))

export interface ChannelName {
  namespace: string
  name: string
}

export const channelName = z
  .string({ error: 'must be set: NAMESPACE/NAME of a channel' })
  .regex(new RegExp(`^${label}/${label}$`), 'must be NAMESPACE/NAME of a channel')
  .transform((text): ChannelName => {
    const [namespace = '', name = ''] = text.split('/')
    return { namespace, name }
  })

/** Kafka keeps requests for 168h: one that was read again after its notification is forgotten would be sent again. */
const shortestHistory = parseDuration('168h')

/** Milliseconds. */
export const historyRetention = z
  .string()
  .refine(
    (text) => durationPattern.test(text) && parseDuration(text) >= shortestHistory,
    'must be a duration of 168h or more',
  )
  .transform(parseDuration)

export const hostName = z
  .string()
  .max(253)
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?$/, 'must be a host name or an address')

/** Redis' own form of addresses (https://www.iana.org/assignments/uri-schemes/prov/redis); `rediss` is with TLS. It may hold a password. */
export const redisUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  return (
    /^rediss?:$/.test(url?.protocol ?? '') && url?.hostname !== '' && /^\/?\d*$/.test(url?.pathname ?? '')
  )
}, 'must be redis://host:port or rediss://user:password@host:port/database')

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
