import type { Catalog } from '../../../core/catalog/catalog.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import type { MailServer } from '../mail-route.ts'
import { mailboxPath } from '../mailbox/mailbox-routes.ts'
import { webhookPath } from '../mailbox/webhook-receiver.ts'
import type { Terminal } from './terminal.ts'

export interface BannerOptions {
  catalog: Catalog
  /** Base URL of the API. */
  url: string
  mail: MailServer & { caught: boolean }
  logFile: string
  terminal: Terminal
}

/** Says what runs, where messages go, and up to three commands that show it: those that the channels and templates there are allow. */
export function printBanner({ catalog, url, mail, logFile, terminal }: BannerOptions): void {
  const { line, style } = terminal
  const heading = (text: string) => line(`\n${style('bold', text)}`)
  line(`${style('bold', 'Carillon')} is up at ${style('cyan', url)}`)
  line(`  API       ${url}/docs`)
  line(`  mailbox   ${url}${mailboxPath}`)
  line(`  metrics   ${url}/metrics`)
  line(`  log       ${logFile}`)
  heading('Channels')
  const channels = catalog.channels()
  if (channels.length === 0) line('  none: there is no manifest of a NotificationChannel that can be used')
  for (const { resource } of channels) {
    line(`  ${resource.metadata.name.padEnd(10)}${describeChannel(resource, mail)}`)
  }
  heading('Templates')
  for (const { resource } of catalog.templates()) {
    line(`  ${resource.metadata.name.padEnd(15)} ${Object.keys(resource.spec.content).join(', ')}`)
  }
  const welcome = catalog.template('default', 'welcome')?.resource.spec.content ?? {}
  const types = new Set(channels.map(({ resource }) => resource.spec.type))
  const possible = tries(url, mail).filter(({ type }) => types.has(type) && welcome[type] !== undefined)
  if (possible.length > 0) heading('Try')
  for (const { what, command } of possible) line(`  ${style('dim', `# ${what}`)}\n  ${command}`)
  line('')
}

interface Try {
  /** The channel that it needs. */
  type: 'email' | 'inapp' | 'webhook'
  what: string
  command: string
}

function tries(url: string, mail: BannerOptions['mail']): Try[] {
  return [
    {
      type: 'email',
      what: mail.caught ? 'a mail; it is caught in the mailbox' : `a mail, through ${mail.host}:${mail.port}`,
      command: send(url, {
        to: [{ email: 'ada@example.com' }],
        template: { id: 'welcome' },
        data: { username: 'Ada' },
      }),
    },
    {
      type: 'inapp',
      what: 'an in-app message to user123, read back from the inbox',
      command: `${send(url, {
        to: [{ user_id: 'user123' }],
        channels: ['inapp'],
        template: { id: 'welcome' },
        data: { username: 'John' },
      })} && sleep 1 && curl -sS ${url}/v1/users/user123/inbox`,
    },
    {
      type: 'webhook',
      what: 'a signed webhook to a receiver on this machine',
      command: send(url, {
        to: [{ webhook_url: `${url}${webhookPath}` }],
        template: { id: 'welcome' },
        data: { username: 'Ada' },
      }),
    },
  ]
}

function send(url: string, body: object): string {
  return `curl -sS ${url}/v1/notifications -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`
}

function describeChannel(channel: NotificationChannel, mail: BannerOptions['mail']): string {
  const { suspend, providers, type } = channel.spec
  if (suspend) return `${type}, suspended`
  const ways = providers.map((provider) => {
    switch (provider.type) {
      case 'smtp':
        return mail.caught
          ? 'smtp to the mailbox: nothing leaves this machine'
          : `smtp through ${mail.host}:${mail.port}`
      case 'sandbox':
        return 'sandbox to the mailbox: nothing leaves this machine'
      case 'inapp':
        return 'inbox of the user'
      case 'webhook':
        return 'signed POST to the URL of the recipient'
      default:
        return provider.type
    }
  })
  return [...new Set(ways)].join(', then ')
}
