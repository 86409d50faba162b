import { readdir, readFile, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { ManifestFile } from './folder-state.ts'

/**
 * Reads the manifests of a folder and of all below it (`*.yaml`, `*.yml`, `*.json`), or a single file. Hidden files are passed over.
 * Rejects when the folder or a file cannot be read.
 */
export async function readManifestFiles(directory: string): Promise<ManifestFile[]> {
  const files = await listFiles(directory)
  const read = await Promise.all(
    files.map(async (file) => {
      try {
        return [{ file, text: await readFile(file, 'utf8') }]
      } catch (error) {
        // Gone since it was listed: an editor is replacing it, and its events are on their way.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    }),
  )
  return read.flat()
}

async function listFiles(directory: string): Promise<string[]> {
  if ((await stat(directory)).isFile()) return [directory]
  const names = await readdir(directory, { recursive: true })
  return names
    .filter(
      (name) =>
        /\.(ya?ml|json)$/i.test(name) && !pathSegments(name).some((segment) => segment.startsWith('.')),
    )
    .toSorted()
    .map((name) => join(directory, name))
}

/** The names that a path consists of. */
export function pathSegments(path: string): string[] {
  return path.split(sep)
}
