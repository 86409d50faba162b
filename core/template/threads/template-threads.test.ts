import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { templateResource } from '../../../test/harness/fakes/resources.ts'
import { createLogger } from '../../observability/logger.ts'
import type { NotificationTemplate, NotificationTemplateInput } from '../../resources/template.ts'
import type { RenderInput } from '../render.ts'
import { TemplateThreads, type TimeLimits } from './template-threads.ts'

const list = Array.from({ length: 60_000 }, () => 0)
/** Takes a minute within the counted limits, and in a single tag (measured: 43 s with 3,000 conditions). */
const endless = `{% if ${Array(3_000).fill('data.l contains 1').join(' or ')} %}{% endif %}x`
/** Every level of the loop keeps a copy of the list. */
const greedy = '{% for i in data.l reversed %}'.repeat(800) + '{% endfor %}'.repeat(800)

function template(text: string, spec: Partial<NotificationTemplateInput['spec']> = {}): NotificationTemplate {
  return templateResource({ name: 'welcome' }, { content: { email: { subject: 'Hi', text } }, ...spec })
}

function input(text: string, revision: string, data: Record<string, unknown> = { l: list }): RenderInput {
  return {
    template: template(text, { locales: { de: { email: { subject: 'Hallo' } } } }),
    revision,
    channelType: 'email',
    address: 'ada@example.com',
    data,
    notification: { id: 'ntf_1' },
  }
}

/** Another template, which is well. On a busy machine it may cost a thread all the same, and is rendered in the slow lane. */
function wellInput(): RenderInput {
  const well = input('good', 'good')
  return { ...well, template: { ...well.template, metadata: { ...well.template.metadata, name: 'well' } } }
}

const rendered = (text: string) => ({
  kind: 'ok',
  message: { type: 'email', to: 'ada@example.com', subject: 'Hi', text },
})
const overTime = { kind: 'invalid', part: 'email', detail: 'email: exceeds the time limit of 0.5 s' }

let threads: TemplateThreads
let log: string[]

function open(limits: TimeLimits): TemplateThreads {
  return new TemplateThreads({
    limits,
    logger: createLogger({ level: 'DEBUG', destination: { write: (line) => void log.push(line) } }),
  })
}

/** Threads that were lost to the template that runs away. */
const lostThreads = () => log.filter((line) => line.includes('"template":"welcome"')).length

beforeEach(() => {
  log = []
  threads = open({ fast: 200, slow: 500, check: 1_000 })
})
afterEach(() => threads.close())

describe('rendering in threads', { timeout: 180_000 }, () => {
  it('says what is rendered, and tells revisions apart', async () => {
    const inputs = Array.from({ length: 40 }, (_, index) =>
      input(index % 2 === 0 ? 'a {{ data.n }}' : 'b {{ data.n }}', String(index % 2), { n: index }),
    )
    const results = await Promise.all(inputs.map((each) => threads.render(each)))
    expect(results).toEqual(inputs.map((_, index) => rendered(`${index % 2 === 0 ? 'a' : 'b'} ${index}`)))
  })

  it('ends a template that runs away, while the loop turns and the others are rendered', async () => {
    let turns = 0
    const ticking = setInterval(() => turns++, 10)
    const bad = threads.render(input(endless, 'bad'))
    const good = await Promise.all(
      Array.from({ length: 50 }, () => threads.render(input('good {{ data.n }}', 'good', { n: 1 }))),
    )
    expect(good).toEqual(good.map(() => rendered('good 1')))
    expect(await bad).toEqual(overTime)
    clearInterval(ticking)
    // 700 ms of its time and more went by. A loop that had rendered it would have turned once.
    expect(turns).toBeGreaterThan(10)
    expect(log.join('')).toContain('"template":"welcome"')
  })

  it('keeps what runs away from the fast lane, however often it is asked for', async () => {
    expect(await threads.render(input(endless, 'bad'))).toEqual(overTime)
    const lost = lostThreads()
    const again = Array.from({ length: 20 }, () => threads.render(input(endless, 'bad')))
    const good = await threads.render(wellInput())
    expect(good).toEqual(rendered('good'))
    const kinds = (await Promise.all(again)).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'invalid')).toHaveLength(4)
    expect(kinds.filter((kind) => kind === 'busy')).toHaveLength(16)
    expect(lostThreads()).toBe(lost + 4)
  })

  it('G5: does not try what ended five threads in a row for a while, and nothing else suffers from that', async () => {
    const runaway = Array.from({ length: 5 }, () => threads.render(input(endless, 'bad')))
    // What finds the lane full asks again, as a worker does.
    let ended = 0
    for (const each of runaway) if ((await each).kind === 'invalid') ended++
    while (ended < 5) if ((await threads.render(input(endless, 'bad'))).kind === 'invalid') ended++
    const lost = lostThreads()
    // One that would be rendered is among them: it is put off, and not said to be invalid.
    const again = Array.from({ length: 100 }, (_, index) =>
      threads.render(input(endless, 'bad', index === 0 ? { l: [] } : undefined)),
    )
    expect(new Set((await Promise.all(again)).map(({ kind }) => kind))).toEqual(new Set(['later']))
    expect(await threads.render(wellInput())).toEqual(rendered('good'))
    // A language that it is not written in is that of its default text.
    expect(await threads.render({ ...input(endless, 'bad'), locale: 'fr-CA' })).toMatchObject({
      kind: 'later',
    })
    expect(lostThreads()).toBe(lost)
    // In another language it is another text.
    expect(await threads.render({ ...input(endless, 'bad'), locale: 'de' })).toEqual(overTime)
  })

  it('survives a template that needs more memory than there is for it', async () => {
    const patient = open({ fast: 30_000, slow: 30_000, check: 30_000 })
    const exceeded = { kind: 'invalid', part: 'email', detail: 'email: exceeds the memory limit' }
    expect(await patient.render(input(greedy, 'greedy'))).toEqual(exceeded)
    expect(await patient.render(input('good', 'good'))).toEqual(rendered('good'))
    await patient.close()
  })

  it('takes a template back that was only slow once', async () => {
    const conditions = `{% if ${Array(30).fill('data.l contains 1').join(' or ')} %}{% endif %}x`
    // 400 ms with the long list, or as long as this machine makes it.
    await threads.render(input(conditions, 'now and then'))
    const many = Array.from({ length: 20 }, () => input(conditions, 'now and then', { l: [] }))
    await expect
      .poll(() => Promise.all(many.map((each) => threads.render(each))), { timeout: 120_000 })
      .toEqual(many.map(() => rendered('x')))
  })

  it('answers busy once it is closed', async () => {
    const waiting = threads.render(input(endless, 'bad'))
    await threads.close()
    expect(await waiting).toEqual({ kind: 'busy' })
    expect(await threads.render(input('good', 'good'))).toEqual({ kind: 'busy' })
  })
})

describe('checking in a thread', { timeout: 180_000 }, () => {
  it('says what is wrong with a template', async () => {
    expect(await threads.check(template('{{ order.id }}'))).toEqual([
      {
        path: ['spec', 'content', 'email', 'text'],
        line: 1,
        message: 'unknown variable order: a template sees data, user and notification',
      },
    ])
    expect(await threads.check(template('{{ data.id }}'))).toEqual([])
  })

  it('ends a sample that runs away, and goes on with the next template', async () => {
    const bad = template(endless, { samples: [{ name: 'long', data: { l: list } }] })
    const [first, second] = await Promise.all([threads.check(bad), threads.check(template('good'))])
    expect(first).toEqual([{ path: ['spec'], message: 'exceeds the time limit of 1 s' }])
    expect(second).toEqual([])
  })
})

describe('checking data in a thread', { timeout: 180_000 }, () => {
  const data = { list: Array.from({ length: 1_000 }, (_, n) => [...Array<number>(110).fill(0), n]) }

  it('fills defaults in, and says what does not fit', async () => {
    const variables = { type: 'object', properties: { n: { type: 'number', default: 1 } } }
    const checked = template('x', { variables })
    expect(await threads.validate(checked, '1', {})).toEqual({ ok: true, data: { n: 1 } })
    expect(await threads.validate(checked, '1', { n: 'a' })).toEqual({
      ok: false,
      problems: [{ pointer: '/n', message: 'must be number' }],
    })
  })

  it('ends a schema that runs away', async () => {
    const unique = { properties: { list: { uniqueItems: true, maxItems: 1000 } } }
    // Measured: 11 s.
    const variables = { type: 'object', allOf: Array.from({ length: 450 }, () => unique) }
    let turns = 0
    const ticking = setInterval(() => turns++, 10)
    const runaway = template('x', { variables })
    const before = turns
    expect(await threads.validate(runaway, '1', data)).toEqual({
      ok: false,
      problems: [{ pointer: '', message: 'exceeds the time limit of 0.5 s' }],
    })
    clearInterval(ticking)
    expect(turns - before).toBeGreaterThan(10)
  })
})
