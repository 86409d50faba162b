import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'

/** What `secretRef` means outside Kubernetes: the value of a key of a named secret, or `undefined` when there is none. */
export type SecretReader = (name: string, key: string) => string | undefined

/** Names and keys as Kubernetes has them (RFC 1123 subdomain; data keys of a Secret): neither can leave the folder. */
const secretName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
const secretKey = /^(?!\.{1,2}$)[-._a-zA-Z0-9]{1,253}$/

/** Milliseconds for which a value that was read is good. Looking at the file at every send was 5 % of a worker's CPU. */
const freshness = 1_000

/**
 * Reads secrets from files `<directory>/<name>/<key>`, which is also how Kubernetes mounts them. A file is read again when it is asked for a second after
 * it was last read, so a rotation is seen within that. One trailing line break is not part of the value. Throws when a file is there and cannot be read.
 */
export function openSecretsFolder(directory: string, clock: Pick<Clock, 'monotonic'>): SecretReader {
  const read = new Map<string, { at: number; value: string | undefined }>()
  return (name, key) => {
    if (!secretName.test(name) || !secretKey.test(key)) return undefined
    const file = join(directory, name, key)
    const last = read.get(file)
    const now = clock.monotonic()
    if (last !== undefined && now - last.at < freshness) return last.value
    const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
    const value = isFile ? readFileSync(file, 'utf8').replace(/\r?\n$/, '') : undefined
    read.set(file, { at: now, value })
    return value
  }
}
