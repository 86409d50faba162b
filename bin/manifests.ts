import { relative } from 'node:path'
import { readManifestFiles } from '../core/catalog/manifest-files.ts'
import { StartRefused } from '../core/settings/start-refused.ts'

/** The manifests of a folder, or one file, named from here, so that a problem can be clicked on. Throws StartRefused. */
export async function readManifests(folder: string) {
  try {
    const files = await readManifestFiles(folder)
    return files.map((one) => ({ ...one, file: relative(process.cwd(), one.file) }))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartRefused(`--filename: ${folder} cannot be read: ${code}`, 2, { cause: error })
  }
}
