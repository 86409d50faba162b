import { describe, expect, it } from 'vitest'
import { templateResource } from '../../test/harness/fakes/resources.ts'
import { formatPath } from '../resources/problem.ts'
import type { NotificationTemplateInput } from '../resources/template.ts'
import { checkTemplate } from './check.ts'

/** Each problem as `path: message`. */
function check(spec: NotificationTemplateInput['spec']): string[] {
  const template = templateResource({ name: 'welcome' }, spec)
  return checkTemplate(template).map(({ path, message }) => `${formatPath(path)}: ${message}`)
}

const variables = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string' }, name: { type: 'string', default: 'customer' } },
}
const content = { email: { subject: 'Order {{ data.id }}', text: 'Hi {{ data.name }}' } }

describe('a template', () => {
  it('whose samples read as they say is good', () => {
    const expected = { email: { subject: 'Order 1', text: 'Hi customer' } }
    expect(
      check({ content, variables, samples: [{ name: 'basic', data: { id: '1' }, expect: expected }] }),
    ).toEqual([])
  })

  it('is parsed in every part and locale, in branches that no sample takes', () => {
    const broken = {
      content: {
        email: { subject: '{{ data.id | upper }}', text: 'a\n\n{% if data.x %}{{ order.id }}{% endif %}' },
        slack: {
          text: 'x',
          blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '{% include "a" %}' } }],
        },
      },
      locales: { 'de-AT': { email: { subject: '{{' } } },
    }
    expect(check(broken)).toEqual([
      'spec.content.email.subject: undefined filter: upper',
      'spec.content.email.text: line 3: unknown variable order: a template sees data, user and notification',
      'spec.content.slack.blocks[0].text.text: tag "include" not found',
      'spec.locales.de-AT.email.subject: output "{{" not closed',
    ])
  })

  it('whose sample differs from what it expects says what it reads', () => {
    const samples = [
      { name: 'a', data: { id: '1' } },
      { name: 'b', data: { id: '2' }, expect: { email: { subject: 'Order 3', text: 'Hi customer' } } },
    ]
    expect(check({ content, variables, samples })).toEqual([
      'spec.samples[1].expect.email.subject: is not what is rendered: "Order 2"',
    ])
  })

  it('whose sample does not fit its variables says so, and renders nothing with it', () => {
    expect(check({ content, variables, samples: [{ name: 'a', data: { id: 5 } }] })).toEqual([
      'spec.samples[0].data.id: must be string',
    ])
  })

  it('whose sample does not render names the part', () => {
    const samples = [{ name: 'a', locale: 'de', data: { id: '1' } }]
    const locales = { de: { email: { subject: '{{ data.nope }}' } } }
    expect(check({ content, variables, locales, samples })).toEqual([
      'spec.samples[0]: does not render: email.subject:1: undefined variable: data.nope',
    ])
  })

  it('may only expect what it has content for', () => {
    const samples = [{ name: 'a', data: { id: '1' }, expect: { sms: { text: 'x' } } }]
    expect(check({ content, variables, samples })).toEqual([
      'spec.samples[0].expect.sms: the template has no content for sms',
    ])
  })

  it('reads dates at a fixed time in its samples', () => {
    const sms = { text: '{{ "now" | date: "%Y-%m-%d" }}' }
    expect(
      check({ content: { sms }, samples: [{ name: 'a', expect: { sms: { text: '2026-01-15' } } }] }),
    ).toEqual([])
  })
})
