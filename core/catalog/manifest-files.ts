import { isUtf8 } from 'node:buffer'
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** A file of manifests: its text, or why there is none. */
export type ManifestFile = { file: string } & ({ text: string } | Unreadable)

interface Unreadable {
  unreadable: string
  /** From 1. */
  line: number
}

/**
 * Reads the manifests of a folder and of all below it (`*.yaml`, `*.yml`, `*.json`), or a single file. Hidden files are passed over, and
 * whatever is no file. Rejects when the folder cannot be read.
 */
export async function readManifestFiles(directory: string): Promise<ManifestFile[]> {
  const files = (await stat(directory)).isFile() ? [directory] : await listFiles(directory, new Set())
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
function notUtf8(bytes: Buffer): Unreadable {
  const lines = bytes.toString('latin1').split('\n')
  const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, 'latin1'))) + 1
  return { unreadable: 'must be text in UTF-8', line }
}

/** The manifests below a folder. Enters each folder once: a link to one above it would bring everything again and again. */
async function listFiles(folder: string, entered: Set<string>): Promise<string[]> {
  const place = await realpath(folder)
  if (entered.has(place)) return []
  entered.add(place)
  const files: string[] = []
  for (const name of (await readdir(folder)).toSorted()) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory()) files.push(...(await listFiles(path, entered)))
    else if (/\.(ya?ml|json)$/i.test(name)) files.push(path)
  }
  return files
}
