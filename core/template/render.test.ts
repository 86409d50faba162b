import { describe, expect, it } from 'vitest'
import { templateResource } from '../../test/harness/fakes/resources.ts'
import type { ChannelType } from '../resources/channel-type.ts'
import type { NotificationTemplateInput } from '../resources/template.ts'
import { createRenderer, type RenderInput } from './render.ts'

type Spec = NotificationTemplateInput['spec']

const templateOf = (spec: Spec) => templateResource({ name: 'order-shipped', namespace: 'shop' }, spec)

function render(spec: Spec, channelType: ChannelType, input: Partial<RenderInput> = {}) {
  const defaults = { revision: 'r1', address: 'to', data: {}, notification: { id: 'ntf_1' } }
  return createRenderer().render({ ...defaults, template: templateOf(spec), channelType, ...input })
}

const email = { subject: 'Order {{ data.id }}', html: '<p>{{ data.name }}</p>', text: 'Hi {{ data.name }}' }

describe('messages', () => {
  it('are rendered by part, and HTML alone is escaped', () => {
    const data = { id: '7', name: 'A & <b>' }
    expect(render({ content: { email } }, 'email', { data })).toEqual({
      kind: 'ok',
      message: {
        type: 'email',
        to: 'to',
        subject: 'Order 7',
        html: '<p>A &amp; &lt;b&gt;</p>',
        text: 'Hi A & <b>',
      },
    })
  })

  it('see the user and the notification', () => {
    const text = '{{ user.name }} {{ notification.id }} {{ notification.category }}'
    const input = { user: { name: 'Ada' }, notification: { id: 'ntf_9', category: 'orders' } }
    expect(render({ content: { sms: { text } } }, 'sms', input)).toMatchObject({
      message: { text: 'Ada ntf_9 orders' },
    })
  })

  it('keep their JSON whatever the data are, and push data are strings', () => {
    const data = { quote: '", "x": "', n: 3 }
    const body = { event: 'shipped', list: ['{{ data.quote }}', 1, null], nested: { n: '{{ data.n }}' } }
    expect(render({ content: { webhook: { body } } }, 'webhook', { data })).toMatchObject({
      message: { body: { event: 'shipped', list: ['", "x": "', 1, null], nested: { n: '3' } } },
    })
    const push = { title: 'T', body: 'B', data: { n: '{{ data.n }}' } }
    expect(render({ content: { push } }, 'push', { data })).toMatchObject({ message: { data: { n: '3' } } })
  })

  it('of Slack are escaped where Slack reads commands', () => {
    const text = '{{ data.x }}'
    const blocks = [
      { type: 'section', text: { type: 'mrkdwn', text } },
      { type: 'header', text: { type: 'plain_text', text } },
      { type: 'actions', elements: [{ type: 'button', url: 'https://a.example/?{{ data.q }}' }] },
    ]
    const data = { x: '<!here>', q: 'a=1&b=2' }
    expect(render({ content: { slack: { text, blocks } } }, 'slack', { data })).toMatchObject({
      message: {
        text: '&lt;!here&gt;',
        blocks: [
          { text: { text: '&lt;!here&gt;' } },
          { text: { text: '<!here>' } },
          { elements: [{ url: 'https://a.example/?a=1&b=2' }] },
        ],
      },
    })
  })

  it('have one line where one line is due', () => {
    const data = { id: '1\r\nBcc: all@example.com\0', name: '' }
    expect(render({ content: { email } }, 'email', { data })).toMatchObject({
      message: { subject: 'Order 1 Bcc: all@example.com' },
    })
  })

  it('fill in the defaults of variables, for data that were accepted before there were any', () => {
    const variables = { type: 'object', properties: { name: { type: 'string', default: 'customer' } } }
    expect(render({ content: { sms: { text: 'Hi {{ data.name }}' } }, variables }, 'sms')).toMatchObject({
      message: { text: 'Hi customer' },
    })
  })
})

describe('locales', () => {
  const spec: Spec = {
    defaultLocale: 'en',
    content: { email: { subject: 'Shipped', text: 'On its way' }, sms: { text: 'Shipped' } },
    locales: {
      de: { email: { subject: 'Unterwegs', text: 'Es kommt' } },
      'de-AT': { email: { subject: 'Unterwegs!' } },
      'zh-Hant': { sms: { text: '已出貨' } },
    },
  }

  it.each([
    [undefined, 'Shipped', 'On its way'],
    ['en', 'Shipped', 'On its way'],
    ['de', 'Unterwegs', 'Es kommt'],
    ['de-CH', 'Unterwegs', 'Es kommt'],
    ['de-AT', 'Unterwegs!', 'Es kommt'],
    ['DE-at', 'Unterwegs!', 'Es kommt'],
    ['fr-CA', 'Shipped', 'On its way'],
    ['', 'Shipped', 'On its way'],
  ])('of %s give the nearest text, part by part', (locale, subject, text) => {
    expect(render(spec, 'email', { locale })).toMatchObject({ message: { subject, text } })
  })

  it('are shortened from the right, and a type that is not translated keeps its text', () => {
    expect(render(spec, 'sms', { locale: 'zh-Hant-TW' })).toMatchObject({ message: { text: '已出貨' } })
    expect(render(spec, 'sms', { locale: 'de' })).toMatchObject({ message: { text: 'Shipped' } })
  })

  it('end at the default: its text is content, not that of a wider locale', () => {
    const wide: Spec = { ...spec, defaultLocale: 'de-AT', locales: { de: { sms: { text: 'Piefke' } } } }
    expect(render(wide, 'sms', { locale: 'de-AT' })).toMatchObject({ message: { text: 'Shipped' } })
    expect(render(wide, 'sms', { locale: 'de-DE' })).toMatchObject({ message: { text: 'Piefke' } })
  })
})

describe('what cannot be sent is invalid, and says where', () => {
  const mail = { subject: '{{ data.subject }}', html: '{{ data.html }}' }
  const inapp = { title: 'T', body: 'B', actionUrl: '{{ data.url }}' }
  const slack = { text: 'x', blocks: [{ a: '{{ x }}' }] }

  it.each<[string, Spec['content'], ChannelType, Record<string, unknown>]>([
    ['email.html:1: undefined variable: data.html', { email: mail }, 'email', { subject: 's' }],
    ['email.subject: is empty', { email: mail }, 'email', { subject: ' \r\n', html: 'x' }],
    ['email.html: is empty', { email: mail }, 'email', { subject: 's', html: '' }],
    ['sms.text:2: output "{{ data." not closed', { sms: { text: 'a\n{{ data.' } }, 'sms', {}],
    ['sms.text: is empty', { sms: { text: '{{ data.x }}' } }, 'sms', { x: ' ' }],
    ['slack.blocks[0].a:1: undefined variable: x', { slack }, 'slack', {}],
    ['inapp.actionUrl: runs a script', { inapp }, 'inapp', { url: 'JavaScript:alert(1)' }],
    ['email: the template has no content', { sms: { text: 'x' } }, 'email', {}],
  ])('%s', (detail, content, type, data) => {
    expect(render({ content }, type, { data })).toMatchObject({ kind: 'invalid', detail })
  })
})

describe('the cache', () => {
  it('tells revisions, types and locales apart', () => {
    const renderer = createRenderer()
    const show = (text: string, revision: string, locale?: string) =>
      renderer.render({
        template: templateOf({
          content: { sms: { text } },
          locales: { de: { sms: { text: `${text} de` } } },
        }),
        revision,
        channelType: 'sms',
        locale,
        address: '+1',
        data: {},
        notification: { id: 'ntf_1' },
      })
    const shown = [show('one', 'r1'), show('two', 'r2'), show('one', 'r1', 'de'), show('never read', 'r1')]
    expect(
      shown.map((result) => result.kind === 'ok' && 'text' in result.message && result.message.text),
    ).toEqual(['one', 'two', 'one de', 'one'])
  })
})
