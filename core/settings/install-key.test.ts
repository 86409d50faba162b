import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deriveInstallKeys } from '../notification/ids.ts'
import { readInstallKey } from './install-key.ts'
import { StartRefused } from './start-refused.ts'

test('the bytes of the file are the key, as they are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-install-key-'))
  const file = join(folder, 'install.key')
  const secret = Buffer.concat([randomBytes(32), Buffer.from('\n')])
  writeFileSync(file, secret)
  expect(readInstallKey(file)).toEqual(deriveInstallKeys(secret))
  writeFileSync(file, 'too short')
  expect(() => readInstallKey(file)).toThrow(
    new StartRefused(`CARILLON_INSTALL_KEY_FILE: ${file}: must hold at least 32 random bytes`, 2),
  )
  expect(() => readInstallKey(file, 'CARILLON_DATA_DIR')).toThrow(`CARILLON_DATA_DIR: ${file}: must hold`)
  rmSync(folder, { recursive: true })
  expect(() => readInstallKey(file)).toThrow(
    new StartRefused(`CARILLON_INSTALL_KEY_FILE: ${file}: cannot be read: ENOENT`, 2),
  )
})
