import { describe } from 'vitest'
import { type PartName, part } from './parts.ts'

/**
 * A suite that needs a real part; where the part is missing its tests are skipped, and counted as skipped.
 * `define` gets the part's path, for use inside hooks and tests only: it also runs when the suite is skipped,
 * then with an empty path, so that the tests are known.
 */
export function describePart(name: PartName, define: (path: string) => void): void {
  const found = part(name)
  describe.skipIf(!found.available)(`with ${name}`, () => define(found.available ? found.path : ''))
}
