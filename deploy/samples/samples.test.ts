import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kinds } from '../../core/catalog/kinds.ts'
import { channelTypes } from '../../core/resources/channel-type.ts'
import { parseManifests } from '../../core/resources/manifest.ts'
import { checkTemplate } from '../../core/template/check.ts'

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')
const files = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.yaml'))
const parsed = files.map((file) => parseManifests(read(file), { file, kinds }))
const resources = parsed.flatMap((one) => one.resources.map(({ resource }) => resource))

test.each(files)('%s is valid, and explains itself before anything else', (file) => {
  expect(parsed[files.indexOf(file)]?.problems).toEqual([])
  expect(read(file)).toMatch(/^# \S/)
})

test('every template proves its samples', () => {
  const templates = resources.filter((resource) => resource.kind === 'NotificationTemplate')
  expect(templates.flatMap(checkTemplate)).toEqual([])
})

test('there is a channel of every type, and a welcome for each of them', () => {
  const channels = resources.filter((resource) => resource.kind === 'NotificationChannel')
  expect(channels.map(({ spec }) => spec.type).toSorted()).toEqual([...channelTypes].toSorted())
  const welcome = resources.find(({ metadata }) => metadata.name === 'welcome')
  expect(
    Object.keys(welcome?.kind === 'NotificationTemplate' ? welcome.spec.content : {}).toSorted(),
  ).toEqual([...channelTypes].toSorted())
})
