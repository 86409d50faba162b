import { expect, test } from 'vitest'
import { providers } from '../../core/providers/registry.ts'
import { channelSchema } from '../../core/resources/channel.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { chooseMailServer, type MailSettings, routeMail, withMailSecret } from './mail-route.ts'

const catcher = { host: '127.0.0.1', port: 2525 }
const nothingSet: MailSettings = {
  emailHost: undefined,
  emailPort: 587,
  emailUsername: undefined,
  emailPassword: undefined,
  emailFrom: undefined,
}
const login = { emailUsername: 'me', emailPassword: 'hunter2' }

const channel = channelResource(
  { name: 'email' },
  {
    type: 'email',
    providers: [
      {
        name: 'production',
        type: 'smtp',
        smtp: {
          host: 'smtp.example.com',
          from: 'Acme <no-reply@acme.example>',
          replyTo: 'help@acme.example',
        },
        secretRef: { name: 'smtp-credentials' },
        timeout: '3s',
      },
      { name: 'other', type: 'smtp', smtp: { host: 'smtp.example.net', from: 'no-reply@acme.example' } },
      { name: 'rehearsal', type: 'sandbox' },
    ],
  },
)

test.each<[string, Partial<MailSettings>, object]>([
  ['nothing set: the catcher', {}, { ...catcher, tls: 'None' }],
  ['only a sender', { emailFrom: 'me@example.com' }, { ...catcher, tls: 'None', from: 'me@example.com' }],
  ['a server', { emailHost: 'mail.example.com' }, { host: 'mail.example.com', port: 587, tls: 'StartTLS' }],
  [
    'TLS from the first byte',
    { emailHost: 'mail.example.com', emailPort: 465, ...login },
    { host: 'mail.example.com', port: 465, tls: 'TLS', username: 'me', password: 'hunter2' },
  ],
  [
    'any other port must upgrade',
    { emailHost: 'mail.example.com', emailPort: 25 },
    { host: 'mail.example.com', port: 25, tls: 'StartTLS' },
  ],
  [
    'a server here',
    { emailHost: 'localhost', emailPort: 1025 },
    { host: 'localhost', port: 1025, tls: 'None' },
  ],
])('%s', (_name, settings, server) => {
  expect(chooseMailServer({ ...nothingSet, ...settings }, catcher)).toEqual(server)
})

test('a user name without a password is refused, and so is the reverse', () => {
  const refused = new StartRefused('EMAIL_USERNAME and EMAIL_PASSWORD: set both or none', 2)
  expect(() => chooseMailServer({ ...nothingSet, emailUsername: 'me' }, catcher)).toThrow(refused)
  expect(() => chooseMailServer({ ...nothingSet, emailPassword: 'hunter2' }, catcher)).toThrow(refused)
})

test('no host and no credentials of the manifest are left; what else it says stays', () => {
  const routed = routeMail(channel, chooseMailServer(nothingSet, catcher))
  const written = JSON.stringify(routed)
  expect(written).not.toMatch(/smtp\.example|smtp-credentials/)
  expect(routed.spec.providers).toMatchObject([
    {
      name: 'production',
      timeout: '3s',
      smtp: { ...catcher, tls: 'None', from: 'Acme <no-reply@acme.example>', replyTo: 'help@acme.example' },
    },
    { name: 'other', smtp: { ...catcher, tls: 'None', from: 'no-reply@acme.example' } },
    channel.spec.providers[2]!,
  ])
  expect(channelSchema(providers).safeParse(routed).error).toBeUndefined()
})

test('the password of the environment reaches the provider by its secretRef, never the catalog', () => {
  const server = chooseMailServer(
    { ...nothingSet, emailHost: 'mail.example.com', ...login, emailFrom: 'Me <me@example.com>' },
    catcher,
  )
  const routed = routeMail(channel, server)
  expect(JSON.stringify(routed)).not.toContain('hunter2')
  const [provider] = routed.spec.providers
  expect(provider).toMatchObject({ smtp: { host: 'mail.example.com', from: 'Me <me@example.com>' } })
  const readSecret = withMailSecret(server, (name, key) => `folder ${name}/${key}`)
  expect(readSecret(provider!.secretRef!.name, 'username')).toBe('me')
  expect(readSecret(provider!.secretRef!.name, 'password')).toBe('hunter2')
  expect(readSecret('webhook-signing', 'secret')).toBe('folder webhook-signing/secret')
})
