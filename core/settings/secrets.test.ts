import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSecretsFolder } from './secrets.ts'

let root: string
let folder: string
let now = 0
const clock = { monotonic: () => now }

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'carillon-secrets-'))
  folder = join(root, 'secrets')
  mkdirSync(join(folder, 'smtp'), { recursive: true })
  writeFileSync(join(root, 'outside'), 'not yours')
})
afterEach(() => rmSync(root, { recursive: true }))

test('a value is the file without its last line break', () => {
  writeFileSync(join(folder, 'smtp', 'password'), ' a\nb \n')
  const secret = openSecretsFolder(folder, clock)
  expect(secret('smtp', 'password')).toBe(' a\nb ')
  expect(secret('smtp', 'username')).toBeUndefined()
  expect(secret('other', 'password')).toBeUndefined()
})

test('a rotation is seen a second later, by writing, by renaming and by removing', () => {
  const file = join(folder, 'smtp', 'password')
  const secret = openSecretsFolder(folder, clock)
  writeFileSync(file, 'one')
  expect(secret('smtp', 'password')).toBe('one')
  writeFileSync(file, 'second')
  now += 999
  expect(secret('smtp', 'password')).toBe('one')
  now += 1
  expect(secret('smtp', 'password')).toBe('second')
  writeFileSync(`${file}.new`, 'third!')
  renameSync(`${file}.new`, file)
  now += 1_000
  expect(secret('smtp', 'password')).toBe('third!')
  rmSync(file)
  now += 1_000
  expect(secret('smtp', 'password')).toBeUndefined()
})

test('a mounted Secret of Kubernetes, whose keys are symbolic links, is read', () => {
  mkdirSync(join(folder, 'smtp', '..2026_11_21'))
  writeFileSync(join(folder, 'smtp', '..2026_11_21', 'password'), 'mounted')
  symlinkSync('..2026_11_21', join(folder, 'smtp', '..data'))
  symlinkSync('..data/password', join(folder, 'smtp', 'password'))
  expect(openSecretsFolder(folder, clock)('smtp', 'password')).toBe('mounted')
})

test.each([
  ['..', 'outside'],
  ['.', 'outside'],
  ['', 'smtp'],
  ['smtp', '../../outside'],
  ['smtp', '..'],
  ['smtp', '.'],
  ['smtp/..', 'outside'],
  ['smtp\0', 'password'],
  ['/etc', 'passwd'],
])('%j %j reads nothing', (name, key) => {
  expect(openSecretsFolder(folder, clock)(name, key)).toBeUndefined()
})
