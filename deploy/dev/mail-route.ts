import type { Resource } from '../../core/catalog/records.ts'
import { smtp } from '../../core/providers/smtp.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { providerSettings } from '../../core/resources/channel/provider-entry.ts'
import type { SecretReader } from '../../core/settings/secrets.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'

/** Secret under which the log-in of EMAIL_USERNAME and EMAIL_PASSWORD is found; a folder of this name is not read. */
const settingsSecret = 'email-settings'

export interface MailServer {
  host: string
  port: number
  tls: 'None' | 'StartTLS' | 'TLS'
  /** In place of what the manifest says. */
  from?: string
  username?: string
  password?: string
}

export interface MailSettings {
  emailHost: string | undefined
  emailPort: number
  emailUsername: string | undefined
  emailPassword: string | undefined
  emailFrom: string | undefined
}

/**
 * The server that all mail of this machine goes to: that of EMAIL_HOST, else the catcher. Port 465 is TLS from the first byte
 * (RFC 8314), every other one must upgrade; a server on this machine may do without.
 */
export function chooseMailServer(
  settings: MailSettings,
  catcher: { host: string; port: number },
): MailServer {
  const {
    emailHost: host,
    emailPort: port,
    emailUsername: username,
    emailPassword: password,
    emailFrom: from,
  } = settings
  if ((username === undefined) !== (password === undefined)) {
    throw new StartRefused('EMAIL_USERNAME and EMAIL_PASSWORD: set both or none', 2)
  }
  if (host === undefined) return { ...catcher, tls: 'None', ...(from !== undefined && { from }) }
  const tls = port === 465 ? 'TLS' : isThisMachine(host) ? 'None' : 'StartTLS'
  return {
    host,
    port,
    tls,
    ...(from !== undefined && { from }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  }
}

/**
 * Points every `smtp` provider at one server; other resources stay as they are. Manifests are written for production: on a laptop no mail server that
 * one names is ever contacted, and its credentials are not looked for.
 */
export function routeMail<R extends Resource>(resource: R, server: MailServer): R {
  return resource.kind === 'NotificationChannel'
    ? { ...resource, ...routeChannel(resource, server) }
    : resource
}

function routeChannel(channel: NotificationChannel, server: MailServer): NotificationChannel {
  const providers = channel.spec.providers.map((provider) => {
    if (provider.type !== smtp.type) return provider
    const { secretRef: _, ...rest } = provider
    const written = smtp.settings.parse(providerSettings(provider))
    const { host, port, tls, from = written.from, username } = server
    return {
      ...rest,
      smtp: { ...written, host, port, tls, from },
      ...(username !== undefined && { secretRef: { name: settingsSecret } }),
    }
  })
  return { ...channel, spec: { ...channel.spec, providers } }
}

/** Answers for the log-in of the mail server, and asks the folder for everything else. */
export function withMailSecret(server: MailServer, folder: SecretReader): SecretReader {
  return (name, key) => {
    if (name !== settingsSecret) return folder(name, key)
    return key === 'username' ? server.username : key === 'password' ? server.password : undefined
  }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
