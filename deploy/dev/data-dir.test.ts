import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { StartRefused } from '../../core/settings/start-refused.ts'
import { prepareDataDir } from './data-dir.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-data-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('makes a folder, and those above it, for its owner alone, and leaves nothing in it', () => {
  const dataDir = join(folder, 'a', 'b')
  prepareDataDir(dataDir)
  expect(readdirSync(dataDir)).toEqual([])
  expect(statSync(dataDir).mode & 0o777).toBe(0o700)
  prepareDataDir(dataDir)
})

it.each([
  ['a file', () => writeFileSync(join(folder, 'x'), ''), 'x', 'EEXIST'],
  ['below a file', () => writeFileSync(join(folder, 'x'), ''), 'x/y', 'ENOTDIR'],
  ['a link that leads nowhere', () => symlinkSync('/nowhere/at/all', join(folder, 'x')), 'x', 'ENOENT'],
  ['too long a name', () => {}, 'x'.repeat(300), 'ENAMETOOLONG'],
])('refuses %s with one line that names the setting', (_, prepare, name, code) => {
  prepare()
  const refused = () => prepareDataDir(join(folder, name))
  expect(refused).toThrow(StartRefused)
  expect(refused).toThrow(`CARILLON_DATA_DIR: "${join(folder, name)}" cannot be made: ${code}`)
})

it('refuses a disk without room for a new database, and leaves one that is there to itself', () => {
  const none = () => prepareDataDir(folder, () => 3)
  expect(none).toThrow(`CARILLON_DATA_DIR: "${folder}" has 3 MB free, and a new database needs 100`)
  mkdirSync(join(folder, 'postgres'))
  none()
})

it.runIf(existsSync('/proc/self'))('refuses a place that takes no folders, and does not try for ever', () => {
  expect(() => prepareDataDir('/proc/x/y')).toThrow('CARILLON_DATA_DIR: "/proc/x/y" cannot be made: ENOENT')
  expect(() => prepareDataDir('/proc')).toThrow('CARILLON_DATA_DIR: "/proc" cannot be written: ENOENT')
})
