import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Content } from '../notification/envelope.ts'
import { type ChannelType, channelTypes } from '../resources/channel-type.ts'
import { messageFromContent, missingContent } from './content.ts'

const content = { subject: 'Hello {{ data.x }}', text: 'Text', html: '<p>' }

it.each<[ChannelType, object]>([
  ['email', { subject: 'Hello {{ data.x }}', text: 'Text', html: '<p>' }],
  ['sms', { text: 'Text' }],
  ['push', { title: 'Hello {{ data.x }}', body: 'Text', data: {} }],
  ['slack', { text: '*Hello {{ data.x }}*\nText' }],
  ['inapp', { title: 'Hello {{ data.x }}', body: 'Text' }],
  ['webhook', { body: content }],
])('becomes a message of type %s as it is', (type, message) => {
  expect(messageFromContent(type, 'to', content)).toEqual({
    ok: true,
    message: { type, to: 'to', ...message },
  })
})

it('leaves out what is not there', () => {
  expect(messageFromContent('webhook', 'to', { text: 'x' })).toEqual({
    ok: true,
    message: { type: 'webhook', to: 'to', body: { text: 'x' } },
  })
  expect(messageFromContent('slack', 'to', { text: 'x' })).toMatchObject({ message: { text: 'x' } })
})

describe('missing fields', () => {
  it.each<[ChannelType, Content, string[]]>([
    ['email', { text: 'x' }, ['subject']],
    ['email', { subject: 's' }, ['text']],
    ['email', { subject: 's', html: 'x' }, []],
    ['email', {}, ['subject', 'text']],
    ['sms', { subject: 's' }, ['text']],
    ['push', { text: 'x' }, ['subject']],
    ['inapp', { subject: 's' }, ['text']],
    ['slack', { html: 'x' }, ['text']],
    ['webhook', { html: 'x' }, []],
    ['webhook', {}, ['text']],
  ])('on %s', (type, given, missing) => {
    expect(missingContent(type, given)).toEqual(missing)
  })

  it('are the only reason why a content is no message', () => {
    const text = fc.option(fc.string(), { nil: undefined })
    const any = fc.record({ subject: text, text, html: text })
    fc.assert(
      fc.property(fc.constantFrom(...channelTypes), any, (type, fields) => {
        const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
        if (missingContent(type, given).length === 0)
          expect(messageFromContent(type, 'to', given).ok).toBe(true)
      }),
    )
  })
})
