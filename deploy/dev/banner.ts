import type { Catalog } from '../../core/catalog/catalog.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { mailboxPath } from './mailbox-routes.ts'
import type { MailServer } from './mail-route.ts'
import type { Terminal } from './terminal.ts'
import { webhookPath } from './webhook-receiver.ts'

export interface BannerOptions {
  catalog: Catalog
  /** Base URL of the API. */
  url: string
  mail: MailServer & { caught: boolean }
  logFile: string
  terminal: Terminal
}

/** Says what runs, where messages go, and three commands that show it. */
export function printBanner({ catalog, url, mail, logFile, terminal }: BannerOptions): void {
  const { line, style } = terminal
  const heading = (text: string) => line(`\n${style('bold', text)}`)
  line(`${style('bold', 'Carillon')} is up at ${style('cyan', url)}`)
  line(`  API       ${url}/docs`)
  line(`  mailbox   ${url}${mailboxPath}`)
  line(`  metrics   ${url}/metrics`)
  line(`  log       ${logFile}`)
  heading('Channels')
  for (const { resource } of catalog.channels()) {
    line(`  ${resource.metadata.name.padEnd(10)}${describeChannel(resource, mail)}`)
  }
  heading('Templates')
  for (const { resource } of catalog.templates()) {
    line(`  ${resource.metadata.name.padEnd(15)} ${Object.keys(resource.spec.content).join(', ')}`)
  }
  heading('Try')
  for (const { what, command } of tries(url, mail)) line(`  ${style('dim', `# ${what}`)}\n  ${command}`)
  line('')
}

function tries(url: string, mail: BannerOptions['mail']): { what: string; command: string }[] {
  return [
    {
      what: mail.caught ? 'a mail; it is caught in the mailbox' : `a mail, through ${mail.host}:${mail.port}`,
      command: send(url, {
        to: [{ email: 'ada@example.com' }],
        template: { id: 'welcome' },
        data: { username: 'Ada' },
      }),
    },
    {
      what: 'an in-app message to user123, read back from the inbox',
      command: `${send(url, {
        to: [{ user_id: 'user123' }],
        channels: ['inapp'],
        template: { id: 'welcome' },
        data: { username: 'John' },
      })} && sleep 1 && curl -sS ${url}/v1/users/user123/inbox`,
    },
    {
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
