import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLogger } from '../observability/logger.ts'
import { formatManifestProblem } from '../resources/manifest.ts'
import { type Folder, type FolderContent, openFolder } from './folder.ts'
import { kinds } from './kinds.ts'
import { checkTemplate } from '../template/check.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

let directory: string
let folder: Folder | undefined
let contents: FolderContent[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-folder-'))
})
afterEach(async () => {
  await folder?.close()
  await rm(directory, { recursive: true })
})

async function open(path = directory): Promise<void> {
  contents = []
  folder = await openFolder({
    directory: path,
    kinds,
    checkTemplate: async (template) => checkTemplate(template),
    prefix: 'carillon',
    logger,
    onChange: (content) => contents.push(content),
  })
}

const manifest = (name: string, text = name) => `apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: ${name}}
spec: {content: {sms: {text: "${text}"}}}
`
const save = (file: string, text: string) => writeFile(join(directory, file), text)
/** Name and text of each template that serves now. */
const served = () =>
  contents
    .at(-1)
    ?.resources.map(({ metadata, spec }) =>
      'content' in spec ? `${metadata.name}: ${spec.content.sms?.text}` : metadata.name,
    )
const shows = (expected: string[]) => expect.poll(served, { interval: 20 }).toEqual(expected)

it('reads all manifests below it, and no hidden ones', async () => {
  await mkdir(join(directory, 'sub/..data'), { recursive: true })
  await save('b.yml', manifest('b'))
  await save('sub/a.yaml', manifest('a'))
  await save('sub/..data/a.yaml', manifest('a'))
  await save('.a.yaml.swp', 'no manifest')
  await save('notes.txt', 'no manifest')
  await save(
    'c.json',
    JSON.stringify({
      apiVersion: 'carillon.dev/v1alpha1',
      kind: 'NotificationTemplate',
      metadata: { name: 'c' },
      spec: { content: { sms: { text: 'c' } } },
    }),
  )
  await open()
  expect(contents).toHaveLength(1)
  expect(served()).toEqual(['a: a', 'b: b', 'c: c'])
  expect(contents[0]?.problems).toEqual([])
})

it('follows edits, atomic saves, new folders and deletions', async () => {
  await save('a.yaml', manifest('a'))
  await open()
  await save('a.yaml', manifest('a', 'two'))
  await shows(['a: two'])
  await save('a.yaml.tmp', manifest('a', 'three'))
  await rename(join(directory, 'a.yaml.tmp'), join(directory, 'a.yaml'))
  await shows(['a: three'])
  await mkdir(join(directory, 'new'))
  await save('new/b.yaml', manifest('b'))
  await shows(['a: three', 'b: b'])
  await rm(join(directory, 'a.yaml'))
  await shows(['b: b'])
})

it('reports a bad edit and goes on with what was good, until it is mended', async () => {
  await save('a.yaml', manifest('a'))
  await open()
  await save('a.yaml', manifest('a', '{{ data.x | shout }}'))
  await expect
    .poll(() => contents.at(-1)?.problems.map(formatManifestProblem), { interval: 20 })
    .toEqual([`${join(directory, 'a.yaml')}:4: spec.content.sms.text: undefined filter: shout`])
  expect(served()).toEqual(['a: a'])
  await save('a.yaml', manifest('a', 'mended'))
  await shows(['a: mended'])
  expect(contents.at(-1)?.problems).toEqual([])
})

it('says of a file why it cannot be read, goes on with what was good, and reads the others', async () => {
  await save('a.yaml', manifest('a', 'one'))
  await save('b.yaml', manifest('b', 'one'))
  await mkdir(join(directory, 'folder.yaml'))
  await open()
  await writeFile(join(directory, 'a.yaml'), Buffer.from(manifest('a', 'Grüße'), 'latin1'))
  await save('b.yaml', manifest('b', 'two'))
  await symlink('nowhere.yaml', join(directory, 'c.yaml'))
  await expect
    .poll(() => contents.at(-1)?.problems.map(formatManifestProblem), { interval: 20 })
    .toEqual([
      `${join(directory, 'a.yaml')}:4: must be text in UTF-8`,
      `${join(directory, 'c.yaml')}:1: is a link that leads nowhere`,
    ])
  await shows(['a: one', 'b: two'])
})

it('reads a folder once, also where a link leads back to it', async () => {
  await mkdir(join(directory, 'sub'))
  await save('sub/a.yaml', manifest('a'))
  await symlink('..', join(directory, 'sub/above'))
  await symlink('.', join(directory, 'here'))
  await open()
  expect(contents.at(-1)?.problems).toEqual([])
  expect(served()).toEqual(['a: a'])
})

it('follows a mounted ConfigMap, whose files change by the switch of one link', async () => {
  await mkdir(join(directory, '..1'))
  await mkdir(join(directory, '..2'))
  await save('..1/a.yaml', manifest('a', 'one'))
  await save('..2/a.yaml', manifest('a', 'two'))
  await symlink('..1', join(directory, '..data'))
  await symlink('..data/a.yaml', join(directory, 'a.yaml'))
  await open()
  expect(served()).toEqual(['a: one'])
  await symlink('..2', join(directory, '..data_tmp'))
  await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  await shows(['a: two'])
})

it('reads a single file', async () => {
  await save('a.yaml', manifest('a'))
  await save('b.yaml', manifest('b'))
  await open(join(directory, 'a.yaml'))
  expect(served()).toEqual(['a: a'])
  await save('a.yaml', manifest('a', 'two'))
  await shows(['a: two'])
})

it('does not open what is not there', async () => {
  await expect(open(join(directory, 'nowhere'))).rejects.toThrow('ENOENT')
})

it('says nothing more once it is closed', async () => {
  await open()
  const closed = contents
  await save('a.yaml', manifest('a'))
  await folder?.close()
  const said = closed.length
  await open()
  await save('a.yaml', manifest('a', 'two'))
  await shows(['a: two'])
  expect(closed).toHaveLength(said)
})
