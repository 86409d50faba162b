import { describe, expect, it } from 'vitest'
import { maxPartLength, newBudget } from './engine.ts'
import type { Escaping } from './escaping.ts'
import { parseText, renderText, unknownVariables } from './liquid.ts'

/** What is wrong with a text; empty when nothing is. */
function problemOf(source: string, setup?: Setup): string {
  const result = render(source, setup)
  return typeof result === 'string' ? '' : result.detail
}

const noon = Date.UTC(2026, 2, 1, 12)

interface Setup {
  data?: Record<string, unknown>
  escaping?: Escaping
  locale?: string
}

/** The text as rendered, or what is wrong with it. */
function render(source: string, { data = {}, escaping = 'none', locale = 'en' }: Setup = {}) {
  const parsed = parseText(source, escaping)
  if (!parsed.ok) return parsed.problem
  const environment = { data, user: {}, notification: { id: 'ntf_1' }, locale, now: noon }
  const rendered = renderText(parsed.text, environment, newBudget())
  return rendered.ok ? rendered.value : rendered.problem
}

describe('what a text can see', () => {
  it.each([
    ['{{ data.constructor.name }}'],
    ['{{ data.__proto__ }}'],
    ['{{ data["constructor"]["constructor"] }}'],
    ['{{ data.list.constructor }}'],
    ['{{ constructor }}'],
    ['{{ toString }}'],
    ['{{ notification.id.constructor }}'],
  ])('finds nothing behind a prototype: %s', (source) => {
    expect(problemOf(source, { data: { list: [1] } })).toContain('undefined variable')
  })

  it.each(['{{ process.env.HOME }}', '{{ globalThis }}', '{{ address }}'])(
    'knows only data, user and notification: %s',
    (source) => {
      expect(problemOf(source)).toContain('undefined variable')
    },
  )

  it('reads own properties that are named like inherited ones', () => {
    const data = JSON.parse('{"constructor": "C", "__proto__": {"x": "P"}}') as Record<string, unknown>
    expect(render('{{ data.constructor }}{{ data["__proto__"].x }}', { data })).toBe('CP')
  })

  it('finds names that no text can see without rendering, in branches too', () => {
    const parsed = parseText(
      '{% if data.x %}\n{{ order.id }}{% endif %}{% for i in data.l %}{{ i }}{% endfor %}',
      'none',
    )
    expect(parsed.ok && unknownVariables(parsed.text)).toEqual([
      { line: 2, detail: 'unknown variable order: a template sees data, user and notification' },
    ])
  })
})

describe('what a text may not do', () => {
  it.each([
    ['{% include "x" %}'],
    ['{% render "/etc/passwd" %}'],
    ['{% layout "x" %}'],
    ['{% block a %}{% endblock %}'],
    ['{% liquid\n  include "x" %}'],
    ['{% toString %}'],
  ])('has no such tag: %s', (source) => {
    expect(problemOf(source)).toMatch(/^tag ".+" not found$/)
  })

  it.each([['inspect'], ['where_exp'], ['sample'], ['constructor'], ['nonsense']])(
    'has no filter %s',
    (name) => {
      expect(render(`one\n{{ data | ${name} }}`)).toEqual({ line: 2, detail: `undefined filter: ${name}` })
    },
  )

  it('says on which line a variable is missing, and forgives it where it may be', () => {
    expect(render('a\nb\n{{ data.x }}')).toEqual({ line: 3, detail: 'undefined variable: data.x' })
    expect(render('{% if data.x %}x{% else %}none{% endif %}, {{ data.y | default: "you" }}')).toBe(
      'none, you',
    )
  })

  it('says nothing of the data when it fails', () => {
    const data = { secret: 'hunter2', map: {} }
    for (const source of [
      '{{ data.map[data.secret] }}',
      '{{ "now" | date: "%Y", data.secret }}',
      '{{ data.map | where: data.secret }}',
    ]) {
      expect(JSON.stringify(render(source, { data }))).not.toContain('hunter2')
    }
    expect(render('{{ "now" | date: "%Y", data.secret }}', { data })).toEqual({
      line: 1,
      detail: 'cannot be evaluated (RangeError)',
    })
  })

  it('does not print objects', () => {
    expect(problemOf('{{ data }}')).toContain('object cannot be printed')
    expect(render('{{ data.a | raw }}', { data: { a: {} }, escaping: 'html' })).toHaveProperty('detail')
  })
})

describe('limits', () => {
  const loop = (body: string, turns = 60_000) => `{% for i in (1..${turns}) %}${body}{% endfor %}`

  it.each([
    ['an endless body', loop('x'.repeat(100)), 'characters'],
    ['loops in loops', loop(loop('', 60_000)), 'steps'],
    ['a huge range', '{{ (1..1000000000) | size }}', 'memory alloc limit exceeded'],
    [
      'a text that doubles',
      '{% assign a = "0123456789" %}{% for i in (1..64) %}{% assign a = a | append: a %}{% endfor %}',
      'memory alloc limit exceeded',
    ],
    [
      'captures',
      '{% for i in (1..99) %}{% capture a %}{{ a | default: "01234567890123456789" }}{{ a | default: "" }}{% endcapture %}{% endfor %}',
      'characters',
    ],
    ['wide numbers', '{{ "now" | date: "%999999999d" }}', 'memory alloc limit exceeded'],
    ['deep nesting', '{% if data %}'.repeat(20_000), 'nested too deeply'],
    ['a long source', 'x'.repeat(maxPartLength + 1), 'parse length limit exceeded'],
  ])('end %s', (_, source, reason) => {
    const started = performance.now()
    expect(problemOf(source)).toContain(reason)
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  it('leave a template alone that is merely long', () => {
    const data = { items: Array.from({ length: 500 }, (_, index) => ({ name: `item ${index}` })) }
    const text = render('{% for item in data.items %}<li>{{ item.name }}</li>{% endfor %}', {
      data,
      escaping: 'html',
    })
    expect(text).toContain('<li>item 499</li>')
  })
})

describe('escaping', () => {
  const data = { name: '<b>&"\'', lines: 'a<\nb', list: ['<', '&'] }

  it('is done in HTML, once, and not by hand only', () => {
    const escaped = '&lt;b&gt;&amp;&#34;&#39;'
    expect(render('<i>{{ data.name }}</i>', { data, escaping: 'html' })).toBe(`<i>${escaped}</i>`)
    expect(render('{{ data.name | escape }}', { data, escaping: 'html' })).toBe(escaped)
    expect(render('{{ data.list }}', { data, escaping: 'html' })).toBe('&lt;&amp;')
    expect(render('{% echo data.name %}{% cycle data.name %}', { data, escaping: 'html' })).toBe(
      escaped + escaped,
    )
    expect(render('{{ data.lines | newline_to_br }}', { data, escaping: 'html' })).toBe('a&lt;<br>\nb')
    expect(render('{{ data.name | raw }}', { data, escaping: 'html' })).toBe(data.name)
  })

  it('keeps commands of Slack from coming in with data', () => {
    const text = render('<https://a.example|{{ data.x }}>', {
      data: { x: '<!channel> & "co"' },
      escaping: 'mrkdwn',
    })
    expect(text).toBe('<https://a.example|&lt;!channel&gt; &amp; "co">')
  })

  it('leaves plain text as it is', () => {
    expect(render('{{ data.name }}', { data })).toBe(data.name)
  })
})

describe('dates', () => {
  const data = { at: '2026-03-01T23:30:00Z' }

  it('are in UTC unless a zone is named, and in the words of the locale', () => {
    expect(render('{{ data.at | date: "%d %B %H:%M" }}', { data })).toBe('01 March 23:30')
    expect(render('{{ data.at | date: "%d. %B %H:%M", "Europe/Berlin" }}', { data, locale: 'de' })).toBe(
      '02. März 00:30',
    )
    expect(render('{{ data.at | date: "%B" }}', { data, locale: 'xx-notalocale1' })).toBe('March')
  })

  it('take the given time for now', () => {
    expect(render('{{ "now" | date: "%Y-%m-%d %H:%M:%S" }}')).toBe('2026-03-01 12:00:00')
  })
})
