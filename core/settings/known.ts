import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Setting } from './setting.ts'

/** Every setting there is. A role reads those it needs. */

const checkout = fileURLToPath(new URL('../../', import.meta.url))

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export interface ListenAddress {
  host: string
  /** 0 takes any free port. */
  port: number
}

const listenAddress = z.string().transform((text, context): ListenAddress => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT' })
    return z.NEVER
  }
  if (!isLoopback(host)) {
    context.addIssue({
      code: 'custom',
      message: 'must be a loopback address until the API has authentication',
    })
    return z.NEVER
  }
  return { host, port }
})

const port = z
  .string()
  .refine(
    (text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535,
    'must be a port, 1 to 65535',
  )
  .transform(Number)

const path = z.string().transform((text) => resolve(text))

/** The levels of LOG_LEVEL, least urgent first. */
export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const
export type LogLevel = (typeof logLevels)[number]

const hostName = z
  .string()
  .max(253)
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?$/, 'must be a host name or an address')

export const settings = {
  listen: define({
    env: 'CARILLON_LISTEN',
    flag: 'listen',
    description: 'HOST:PORT of the API (127.0.0.1:8080; port 0 takes a free one)',
    schema: listenAddress.prefault('127.0.0.1:8080'),
  }),
  dataDir: define({
    env: 'CARILLON_DATA_DIR',
    flag: 'data-dir',
    description: 'folder for everything this machine keeps (.carillon in the checkout)',
    schema: path.prefault(resolve(checkout, '.carillon')),
  }),
  manifests: define({
    env: 'CARILLON_MANIFESTS',
    flag: 'manifests',
    description: 'folder of channel and template manifests (deploy/samples in the checkout)',
    schema: path.prefault(resolve(checkout, 'deploy/samples')),
  }),
  secretsDir: define({
    env: 'CARILLON_SECRETS_DIR',
    flag: 'secrets-dir',
    description: 'folder NAME/KEY that secretRef reads (secrets in the data folder)',
    schema: path.optional(),
  }),
  topicPrefix: define({
    env: 'CARILLON_TOPIC_PREFIX',
    flag: 'topic-prefix',
    description: 'first part of every topic name (carillon)',
    schema: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'must be 1 to 40 of a-z, 0-9 and -')
      .prefault('carillon'),
  }),
  logLevel: define({
    env: 'LOG_LEVEL',
    flag: 'log-level',
    description: `least urgent level to log: ${logLevels.join(', ')} (INFO)`,
    schema: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).prefault('INFO'),
  }),
  databaseUrl: define({
    env: 'DATABASE_URL',
    description: 'PostgreSQL to use: postgresql://user:password@host/database',
    schema: z
      .string({ error: 'must be set: postgresql://user:password@host/database' })
      .regex(/^postgres(ql)?:\/\/./, 'must begin with postgresql://'),
  }),
  emailHost: define({
    env: 'EMAIL_HOST',
    flag: 'email-host',
    description: 'mail server to send through (none: mail is caught and shown, nothing leaves)',
    schema: hostName.optional(),
  }),
  emailPort: define({
    env: 'EMAIL_PORT',
    flag: 'email-port',
    description: 'its port: 465 is TLS from the start, every other one is STARTTLS (587)',
    schema: port.prefault('587'),
  }),
  emailUsername: define({
    env: 'EMAIL_USERNAME',
    flag: 'email-username',
    description: 'user name at the mail server (none: no log-in)',
    schema: z.string().optional(),
  }),
  emailPassword: define({
    env: 'EMAIL_PASSWORD',
    description: 'password at the mail server',
    schema: z.string().optional(),
  }),
  emailFrom: define({
    env: 'EMAIL_FROM',
    flag: 'email-from',
    description: 'sender of all mail (what the manifest says)',
    schema: z
      .string()
      .regex(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+[^\r\n]*$/, 'must be an address: Name <name@example.com>')
      .optional(),
  }),
}

/** Variables of ours that are read before this program starts, or by its tests. */
const toolVariables = ['CARILLON_CACHE', 'CARILLON_POSTGRES_BIN', 'CARILLON_REQUIRE']

export const knownVariables: ReadonlySet<string> = new Set([
  ...Object.values(settings).map((setting) => setting.env),
  ...toolVariables,
])

function define<T>(setting: Setting<T>): Setting<T> {
  return setting
}

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
