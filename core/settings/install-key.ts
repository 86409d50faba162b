import { readFileSync } from 'node:fs'
import { deriveInstallKeys, type InstallKeys } from '../notification/ids.ts'
import { StartRefused } from './start-refused.ts'

/**
 * Reads the install's one secret. Its bytes are taken as they are, so every process must have the very same file, for the
 * install's whole life: with another one ids that were handed out are no longer known. Throws StartRefused with one line.
 *
 * @param setting what has led to the file
 */
export function readInstallKey(file: string, setting = 'CARILLON_INSTALL_KEY_FILE'): InstallKeys {
  try {
    return deriveInstallKeys(readFileSync(file))
  } catch (error) {
    const reason = error instanceof RangeError ? 'must hold at least 32 random bytes' : codeOf(error)
    throw new StartRefused(`${setting}: ${file}: ${reason}`, 2, { cause: error })
  }
}

function codeOf(error: unknown): string {
  return `cannot be read: ${(error as NodeJS.ErrnoException).code}`
}
