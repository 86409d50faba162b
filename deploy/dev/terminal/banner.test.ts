import { expect, test } from 'vitest'
import { staticCatalog, type StaticCatalogOptions } from '../../../test/harness/fakes/static-catalog.ts'
import { printBanner } from './banner.ts'

const welcome = { content: { email: { subject: 'Hi', text: 'Hi' }, webhook: { body: {} } } }

function bannerOf(options: StaticCatalogOptions): string {
  const lines: string[] = []
  printBanner({
    catalog: staticCatalog(options),
    url: 'http://127.0.0.1:8080',
    mail: { host: '127.0.0.1', port: 1025, caught: true } as never,
    logFile: 'carillon.log',
    terminal: { line: (text) => lines.push(text), style: (_, text) => text },
  })
  return lines.join('\n')
}
const commandsOf = (banner: string) => banner.match(/^ {2}curl .*$/gm) ?? []

test('shows the commands that work with what there is', () => {
  const channels = { email: 'email', hooks: 'webhook', inbox: 'inapp' } as const
  const commands = commandsOf(bannerOf({ channels, templates: { welcome } }))
  expect(commands).toEqual([expect.stringContaining('"email"'), expect.stringContaining('"webhook_url"')])
})

test('shows no command, and says that there is no channel, in an empty folder', () => {
  const banner = bannerOf({ channels: {} })
  expect(banner).toContain('none: there is no manifest')
  expect(commandsOf(banner)).toEqual([])
})
