import { describe, expect, it } from 'vitest'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { accept } from './accept.ts'
import { createCheckData } from './check-data.ts'
import type { SendRequest } from './send-request.ts'

const catalog = staticCatalog({
  channels: {
    email: 'email',
    texts: 'sms',
    push: 'push',
    inapp: 'inapp',
    hooks: 'webhook',
    alerts: 'webhook',
  },
  templates: {
    welcome: {
      category: 'account',
      variables: {
        type: 'object',
        required: ['username'],
        properties: { username: { type: 'string' }, plan: { type: 'string', default: 'free' } },
        additionalProperties: false,
      },
      content: {
        email: { subject: 'Welcome', text: '{{ data.username }}' },
        sms: { text: 'Welcome' },
        slack: { text: 'Welcome' },
      },
    },
    ping: { content: { webhook: { body: {} } } },
    loose: { content: { inapp: { title: 'Hi', body: '' } } },
  },
})

const now = Date.parse('2026-06-01T00:00:00Z')
const checkData = createCheckData({ validate: () => Promise.reject(new Error('nothing here is large')) })
const judge = (request: SendRequest, from = catalog) =>
  accept(request, { catalog: from, checkData, tenant: 'default', now })

const user = { user_id: 'u_1' }
const mail = { email: 'ada@example.com' }
const phone = { phone: '+15550100' }
const welcome = { template: { id: 'welcome' }, data: { username: 'ada' } }

describe('accept', () => {
  it.each<[string, SendRequest, string[]]>([
    ['a template on its types, where there is a channel', { to: [user], ...welcome }, ['email', 'texts']],
    ['a template on the type of the address', { to: [mail], ...welcome }, ['email']],
    ['a template on the types of all addresses', { to: [phone, mail], ...welcome }, ['email', 'texts']],
    [
      'the channels named, in their order',
      { to: [user], channels: ['texts', 'email'], ...welcome },
      ['texts', 'email'],
    ],
    [
      'of the channels named those that reach somebody',
      { to: [mail], channels: ['texts', 'email'], ...welcome },
      ['email'],
    ],
    ['content on the type of the address', { to: [phone], content: { text: 'Hi' } }, ['texts']],
    [
      'content to a user on the channels named',
      { to: [user], channels: ['inapp'], content: { subject: 'Hi', text: 'Hi' } },
      ['inapp'],
    ],
    [
      'one of several channels of a type by name',
      { to: [user], channels: ['alerts'], template: { id: 'ping' } },
      ['alerts'],
    ],
  ])('sends %s', async (_, request, channels) => {
    expect(await judge(request)).toMatchObject({ kind: 'accepted', settled: { channels } })
  })

  it('pins the revision, fills in defaults and takes the category of the template', async () => {
    expect(
      await judge({ to: [mail], template: { id: 'welcome', locale: 'de' }, data: { username: 'ada' } }),
    ).toEqual({
      kind: 'accepted',
      settled: {
        channels: ['email'],
        template: { name: 'welcome', revision: 'r1', locale: 'de' },
        data: { username: 'ada', plan: 'free' },
        category: 'account',
      },
    })
    expect(await judge({ to: [mail], ...welcome, category: 'news' })).toMatchObject({
      settled: { category: 'news' },
    })
    expect(await judge({ to: [user], template: { id: 'loose' }, data: { any: 1 } })).toMatchObject({
      settled: { data: { any: 1 } },
    })
  })

  it('writes the expiry in UTC', async () => {
    const accepted = await judge({ to: [mail], ...welcome, expires_at: '2026-06-01T02:00:01+02:00' })
    expect(accepted).toMatchObject({ settled: { expires_at: '2026-06-01T00:00:01.000Z' } })
  })

  it('names the channel or template that was probably meant', async () => {
    const misspelt = await judge({ to: [mail], channels: ['emial', 'fax'], ...welcome })
    expect(misspelt).toMatchObject({
      errors: [
        { detail: 'there is no such channel; did you mean "email"?' },
        { detail: 'there is no such channel' },
      ],
    })
    expect(await judge({ to: [mail], template: { id: 'wellcome' } })).toMatchObject({
      errors: [{ detail: 'there is no such template; did you mean "welcome"?' }],
    })
  })

  it.each<[string, SendRequest, [pointer: string, code: string][]]>([
    ['neither template nor content', { to: [mail] }, [['/template', 'required']]],
    ['both', { to: [mail], ...welcome, content: { text: 'Hi' } }, [['/content', 'conflict']]],
    ['no such template', { to: [mail], template: { id: 'nope' } }, [['/template/id', 'unknown_template']]],
    ['data missing', { to: [mail], template: { id: 'welcome' } }, [['/data/username', 'invalid_data']]],
    [
      'data of a wrong type',
      { to: [mail], template: { id: 'welcome' }, data: { username: 1 } },
      [['/data/username', 'invalid_data']],
    ],
    [
      'data unknown',
      { to: [mail], template: { id: 'welcome' }, data: { username: 'a', 'x/y': 1 } },
      [['/data/x~1y', 'invalid_data']],
    ],
    [
      'no such channel',
      { to: [mail], channels: ['email', 'fax'], ...welcome },
      [['/channels/1', 'unknown_channel']],
    ],
    [
      'a channel the template has nothing for',
      { to: [user], channels: ['push'], ...welcome },
      [['/template/id', 'no_content']],
    ],
    [
      'a recipient that no channel reaches',
      { to: [mail, phone], channels: ['email'], ...welcome },
      [['/to/1', 'no_channel']],
    ],
    [
      'an address of a type without a channel',
      { to: [{ slack_channel: '#ops' }], ...welcome },
      [['/to/0', 'no_channel']],
    ],
    [
      'an address the template has nothing for',
      { to: [{ device_token: 't' }], ...welcome },
      [['/to/0', 'no_channel']],
    ],
    ['a type of several channels', { to: [user], template: { id: 'ping' } }, [['/channels', 'required']]],
    [
      'content to a user without channels',
      { to: [user], content: { text: 'Hi' } },
      [['/channels', 'required']],
    ],
    [
      'content that lacks a subject',
      { to: [mail], content: { text: 'Hi' } },
      [['/content/subject', 'required']],
    ],
    [
      'content that lacks its text',
      { to: [user], channels: ['inapp'], content: { subject: 'Hi' } },
      [['/content/text', 'required']],
    ],
    ['data beside content', { to: [phone], content: { text: 'Hi' }, data: {} }, [['/data', 'not_allowed']]],
    [
      'an expiry in the past',
      { to: [mail], ...welcome, expires_at: '2026-06-01T00:00:00Z' },
      [['/expires_at', 'in_the_past']],
    ],
    [
      'an expiry on a leap second',
      { to: [mail], ...welcome, expires_at: '2030-12-31T23:59:60Z' },
      [['/expires_at', 'wrong_format']],
    ],
    [
      'an expiry in the year 9999 that is a later one in Greenwich',
      { to: [mail], ...welcome, expires_at: '9999-12-31T23:59:59-05:00' },
      [['/expires_at', 'too_large']],
    ],
    [
      'a URL that is none',
      { to: [{ webhook_url: 'http://example.com:99999/' }], ...welcome },
      [
        ['/to/0/webhook_url', 'wrong_format'],
        ['/to/0', 'no_channel'],
      ],
    ],
    [
      'several things at once',
      {
        to: [mail, phone],
        channels: ['email'],
        template: { id: 'welcome' },
        expires_at: '2020-01-01T00:00:00Z',
      },
      [
        ['/expires_at', 'in_the_past'],
        ['/data/username', 'invalid_data'],
        ['/to/1', 'no_channel'],
      ],
    ],
  ])('refuses %s', async (_, request, expected) => {
    const verdict = await judge(request)
    if (verdict.kind !== 'invalid') throw new Error(verdict.kind)
    expect(verdict.errors.map(({ pointer, code }) => [pointer, code])).toEqual(expected)
  })

  it('knows nothing before the catalog is there, and nothing of other tenants', async () => {
    expect(await judge({ to: [mail], ...welcome }, staticCatalog({ channels: {}, synced: false }))).toEqual({
      kind: 'not_ready',
    })
    const foreign = await accept({ to: [mail], ...welcome }, { catalog, checkData, tenant: 'other', now })
    expect(foreign).toMatchObject({ kind: 'invalid', errors: [{ code: 'unknown_template' }] })
  })

  it('leaves the request as it came', async () => {
    const request = { to: [mail], template: { id: 'welcome' }, data: { username: 'ada' } }
    const before = structuredClone(request)
    await judge(request)
    expect(request).toEqual(before)
  })
})
