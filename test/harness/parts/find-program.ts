import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program's path, from JAVA_HOME or PATH. */
export function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const home = env['JAVA_HOME']
  const folders = (env['PATH'] ?? '').split(delimiter)
  return [...(home ? [join(home, 'bin')] : []), ...folders]
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
