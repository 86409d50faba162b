import { isUtf8 } from 'node:buffer'
import { lstat, readdir, readFile, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** A file of manifests: its text, or why there is none. */
export type ManifestFile = { file: string } & (
  | { text: string }
  | { unreadable: string /** From 1. */; line: number }
)

/**
 * Reads the manifests of a folder and of all below it (`*.yaml`, `*.yml`, `*.json`), or a single file. Hidden files are passed over, and
 * whatever is no file. Rejects when the folder cannot be read.
 */
export async function readManifestFiles(directory: string): Promise<ManifestFile[]> {
  const files = await listFiles(directory)
  const read = await Promise.all(files.map(readManifestFile))
  return read.flat()
}

async function readManifestFile(file: string): Promise<ManifestFile[]> {
  try {
    // A pipe would be waited for.
    if (!(await stat(file)).isFile()) return []
    const bytes = await readFile(file)
    return [isUtf8(bytes) ? { file, text: bytes.toString() } : { file, ...notUtf8(bytes) }]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') return [{ file, unreadable: `cannot be read: ${code}`, line: 1 }]
    const isLink = await lstat(file).then(
      (found) => found.isSymbolicLink(),
      () => false,
    )
    // What is gone since it was listed an editor is replacing, and its events are on their way.
    return isLink ? [{ file, unreadable: 'is a link that leads nowhere', line: 1 }] : []
  }
}

/** Decoded as if it were, it would reach the readers of its messages mangled. */
function notUtf8(bytes: Buffer): { unreadable: string; line: number } {
  const lines = bytes.toString('latin1').split('\n')
  const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, 'latin1'))) + 1
  return { unreadable: 'must be text in UTF-8', line }
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
