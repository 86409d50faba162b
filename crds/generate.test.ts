import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { channelDefinition } from './definition.ts'
import { generatedFiles, staleFiles } from './generate.ts'

const files = generatedFiles()

test('the tree holds what would be generated', () => {
  expect(staleFiles()).toEqual([])
})

test('twice the same', () => {
  expect(generatedFiles()).toEqual(files)
})

test('every file says that it is generated', () => {
  const silent = [...files].filter(([, content]) => !content.slice(0, 100).includes('do not edit'))
  expect(silent.map(([path]) => path)).toEqual([])
})

test('kubectl explain tells defaults, which it shows nowhere else', () => {
  const crd = files.get('crds/carillon.dev_notificationchannels.yaml')!
  expect(crd).toContain('description: How long one attempt may take. Defaults to 10s.')
  expect(crd).not.toContain('Defaults to .')
})

test('editors accept a sample and find a misspelt field', () => {
  const schema = JSON.parse(files.get('docs/reference/schemas/notificationchannel.schema.json')!) as object
  const check = new Ajv2020({ strict: false }).compile(schema)
  const sample = parse(readFileSync(new URL('../deploy/samples/email.yaml', import.meta.url), 'utf8')) as {
    spec: object
  }
  check(sample)
  expect(check.errors).toBeNull()
  expect(check({ ...sample, spec: { ...sample.spec, suspnd: true } })).toBe(false)
  expect(check({ ...sample, kind: 'NotificationTemplate' })).toBe(false)
})

test('the page of metrics names each of them once, with its labels', () => {
  const page = files.get('docs/reference/metrics.md')!
  const names = [...page.matchAll(/^\| `(carillon_\w+)` \|/gm)].map(([, name]) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(page).toContain('| `carillon_kafka_consumer_lag` | gauge | `group`, `topic`, `partition` |')
})

test('the schema of events describes the example on their page', () => {
  const schema = JSON.parse(files.get('docs/reference/schemas/delivery-event.schema.json')!) as object
  const check = new Ajv2020({ strict: false }).compile(schema)
  const [, example] = /```json\n([^`]*)```/.exec(files.get('docs/reference/events.md')!)!
  check(JSON.parse(example!))
  expect(check.errors).toBeNull()
})

test('the reference names every field, rule and condition', () => {
  const page = files.get('docs/reference/notificationchannel.md')!
  for (const text of [
    '`spec.providers[].smtp.port`',
    'may grow, never shrink',
    ...Object.keys(channelDefinition.conditions),
  ]) {
    expect(page).toContain(text)
  }
  // A table cell that is not escaped breaks the row.
  const rows = page.split('\n').filter((line) => line.startsWith('| `spec.'))
  const widths = new Set(rows.map((row) => row.replaceAll('\\|', '').split('|').length))
  expect(widths).toEqual(new Set([5, 6]))
})

test('what looks like HTML is shown as it is, in code and outside of it', () => {
  const page = files.get('docs/reference/notificationchannel.md')!
  expect(page).toContain('`Acme <no-reply@acme.example>`')
  expect(page).toContain('Empty means &lt;prefix>.')
})
