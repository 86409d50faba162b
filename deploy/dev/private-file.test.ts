import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepPrivateFile } from './private-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-private-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('made once, readable by its owner alone, nothing left beside it', () => {
  const file = join(folder, 'keys', 'install.key')
  expect(keepPrivateFile(file, () => Buffer.from('first'))).toEqual(Buffer.from('first'))
  expect(keepPrivateFile(file, () => Buffer.from('second'))).toEqual(Buffer.from('first'))
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(folder, 'keys'))).toEqual(['install.key'])
})

test('of two that make it at once, both get the one that was first', () => {
  const file = join(folder, 'install.key')
  const second = keepPrivateFile(file, () => {
    keepPrivateFile(file, () => Buffer.from('first'))
    return Buffer.from('second')
  })
  expect(second).toEqual(Buffer.from('first'))
})

test('a file that cannot be read is an error, not a reason to make a new one', () => {
  expect(() => keepPrivateFile(folder, () => Buffer.from('new'))).toThrow('EISDIR')
})
