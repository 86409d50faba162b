import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What `secretRef` means outside Kubernetes: the value of a key of a named secret, or `undefined` when there is none. */
export type SecretReader = (name: string, key: string) => string | undefined

/** Names and keys as Kubernetes has them (RFC 1123 subdomain; data keys of a Secret): neither can leave the folder. */
const secretName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
const secretKey = /^(?!\.{1,2}$)[-._a-zA-Z0-9]{1,253}$/

/**
 * Reads secrets from files `<directory>/<name>/<key>`, which is also how Kubernetes mounts them. The file is looked at on
 * every call and read again when it has changed, so a rotation is seen at the next send. One trailing line break is not part of the value.
 * Throws when a file is there and cannot be read.
 */
export function openSecretsFolder(directory: string): SecretReader {
  const cache = new Map<string, { version: string; value: string }>()
  return (name, key) => {
    if (!secretName.test(name) || !secretKey.test(key)) return undefined
    const file = join(directory, name, key)
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined || !stat.isFile()) {
      cache.delete(file)
      return undefined
    }
    const version = `${stat.ino}/${stat.size}/${stat.mtimeNs}`
    const cached = cache.get(file)
    if (cached?.version === version) return cached.value
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    cache.set(file, { version, value })
    return value
  }
}
