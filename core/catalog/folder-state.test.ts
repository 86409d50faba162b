import { describe, expect, it } from 'vitest'
import { formatManifestProblem } from '../resources/manifest.ts'
import { type FolderRules, type FolderState, nextState } from './folder-state.ts'
import { kinds } from './kinds.ts'
import { checkTemplate } from '../template/check.ts'

const rules: FolderRules = {
  kinds,
  checkTemplate: async (template) => checkTemplate(template),
  prefix: 'carillon',
}
const empty: FolderState['served'] = new Map()

const channel = (name: string, spec = '') => `apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: ${name}, namespace: shop}
spec:
  type: sms
  providers: [{name: primary, type: sandbox}]
${spec}
`
const template = (name: string, text: string) => `apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: ${name}, namespace: shop}
spec:
  content:
    sms: {text: '${text}'}
`
const topic = (name: string) => `  topic: {name: ${name}}`

/** The files, read after those of `before`. */
function read(files: Record<string, string>, before = empty): Promise<FolderState> {
  const list = Object.entries(files).map(([file, text]) => ({ file, text }))
  return nextState(list, before, rules)
}
const names = ({ served }: FolderState) => [...served.keys()].toSorted().map((key) => key.split('/').at(-1))
const problems = (state: FolderState) => state.problems.map(formatManifestProblem)
const textOf = ({ served }: FolderState, name: string) => {
  const resource = served.get(`NotificationTemplate/shop/${name}`)?.resource
  return resource?.kind === 'NotificationTemplate' ? resource.spec.content.sms?.text : undefined
}

describe('a folder', () => {
  it('serves what is valid and says where the rest is wrong', async () => {
    const state = await read({
      'a.yaml': `${channel('one')}---\n${channel('two', '  suspended: true')}`,
      'b.yaml': template('hello', '{{ order.id }}'),
    })
    expect(names(state)).toEqual(['one'])
    expect(problems(state)).toEqual([
      'a.yaml:15: spec.suspended: unknown field; did you mean "suspend"?',
      'b.yaml:6: spec.content.sms.text: unknown variable order: a template sees data, user and notification',
    ])
  })

  it('goes on with the last good revision of what is edited wrongly, in each way in which it can be wrong', async () => {
    const good = await read({ 'a.yaml': `${template('hello', 'v1')}---\n${template('bye', 'v1')}` })
    const edits = [
      template('hello', '{{ data.'), // the template
      template('hello', 'v2').replace('spec:', 'spec:\n  colour: red'), // the schema
      template('hello', 'v2').replace('spec:', 'spec: ]'), // the YAML
      template('hello', 'v2').replace('name: hello', 'nam: hello'), // whose it is cannot be read
    ]
    for (const edit of edits) {
      const state = await read({ 'a.yaml': `${template('bye', 'v2')}---\n${edit}` }, good.served)
      expect([textOf(state, 'hello'), textOf(state, 'bye')]).toEqual(['v1', 'v2'])
      expect(state.problems.length).toBeGreaterThan(0)
    }
  })

  it('forgets what is deleted, and what moves from file to file stays', async () => {
    const before = await read({ 'a.yaml': `${channel('one')}---\n${channel('two')}` })
    const after = await read({ 'b.yaml': channel('two') }, before.served)
    expect(names(after)).toEqual(['two'])
    expect((await read({}, after.served)).served.size).toBe(0)
  })

  it('refuses a change that Kubernetes would refuse, until the resource is made anew', async () => {
    const before = await read({ 'a.yaml': channel('one') })
    const other = { 'a.yaml': channel('one').replace('type: sms', 'type: push') }
    const state = await read(other, before.served)
    expect(problems(state)).toEqual(['a.yaml:5: spec.type: is immutable'])
    expect(state.served.get('NotificationChannel/shop/one')?.resource.spec).toMatchObject({ type: 'sms' })
    const removed = await read({}, state.served)
    expect(problems(await read(other, removed.served))).toEqual([])
  })

  it('passes over other kinds and other JSON', async () => {
    const state = await read({
      'users.json': '{"ada": {"email": "a@example.com"}}',
      's.yaml': 'apiVersion: v1\nkind: Secret\n',
    })
    expect(problems(state)).toEqual([])
    expect(problems(await read({ 'x.json': '{"kind": "NotificationChannel"}' }))).not.toEqual([])
  })

  it('refuses what no record of the catalog can hold', async () => {
    const html = `'${'x'.repeat(250_000)}'`
    const locales = ['de', 'fr', 'es', 'it']
      .map((locale) => `    ${locale}: {email: {html: ${html}}}\n`)
      .join('')
    const big = template('big', 'x').replace('    sms:', '    email: {subject: s, html: x}\n    sms:')
    expect(problems(await read({ 'a.yaml': `${big}  locales:\n${locales}` }))).toEqual([
      'a.yaml:1: must be at most 1000000 bytes of JSON',
    ])
  })
})

describe('one resource in two files', async () => {
  it('is reported in both, and neither is taken', async () => {
    const state = await read({ 'a.yaml': channel('one'), 'b.yaml': `---\n${channel('one')}` })
    expect(state.served.size).toBe(0)
    expect(problems(state)).toEqual([
      'a.yaml:3: metadata.name: NotificationChannel shop/one is also in b.yaml:4',
      'b.yaml:4: metadata.name: NotificationChannel shop/one is also in a.yaml:3',
    ])
  })

  it('goes on as it was', async () => {
    const before = await read({ 'a.yaml': template('hello', 'v1') })
    const state = await read(
      { 'a.yaml': template('hello', 'v1'), 'b.yaml': template('hello', 'v2') },
      before.served,
    )
    expect(textOf(state, 'hello')).toBe('v1')
  })
})

describe('two channels on one topic', async () => {
  const clash = (a: string, b: string) => ({ 'a.yaml': channel('one', a), 'b.yaml': channel('two', b) })

  it('are refused, whether by name or by what a name stands for', async () => {
    expect(problems(await read(clash(topic('mail'), topic('mail'))))).toEqual([
      'a.yaml:7: spec.topic.name: topic mail is also that of NotificationChannel shop/two (b.yaml:3)',
      'b.yaml:7: spec.topic.name: topic mail is also that of NotificationChannel shop/one (a.yaml:3)',
    ])
    expect((await read(clash('', topic('carillon.shop.one')))).served.size).toBe(0)
    expect((await read(clash(topic('mail'), topic('mail.dlq')))).served.size).toBe(0)
    expect(problems(await read({ 'a.yaml': channel('one', topic('carillon.requests')) }))).toEqual([
      'a.yaml:7: spec.topic.name: topic carillon.requests is also that of the install itself',
    ])
  })

  it('leave the one alone that was there first', async () => {
    const before = await read({ 'a.yaml': channel('one', topic('mail')) })
    const state = await read(clash(topic('mail'), topic('mail')), before.served)
    expect(names(state)).toEqual(['one'])
    const freed = await read({ 'b.yaml': channel('two', topic('mail')) }, state.served)
    expect(names(freed)).toEqual(['two'])
  })

  it('never share one through a last good revision', async () => {
    // One wants to leave topic x but may not, so two may not have it.
    const before = await read({
      'a.yaml': channel('one', topic('x')),
      'c.yaml': channel('three', topic('y')),
    })
    const state = await read(
      {
        'a.yaml': channel('one', topic('y')),
        'b.yaml': channel('two', topic('x')),
        'c.yaml': channel('three', topic('y')),
      },
      before.served,
    )
    expect(names(state)).toEqual(['one', 'three'])
    expect(state.served.get('NotificationChannel/shop/one')?.resource.spec).toMatchObject({
      topic: { name: 'x' },
    })
  })

  it('cannot exchange them: each keeps what is still to be delivered', async () => {
    const before = await read(clash(topic('x'), topic('y')))
    const after = await read(clash(topic('y'), topic('x')), before.served)
    expect(problems(after)).toEqual([
      expect.stringMatching(/^a\.yaml:7: spec\.topic\.name: is immutable/),
      expect.stringMatching(/^b\.yaml:7: spec\.topic\.name: is immutable/),
    ])
  })
})
