import { createHash, randomUUID } from 'node:crypto'
import { keyOf, type KubernetesObject, nameOf, type ObjectName } from './runtime/api/resource-kind.ts'
import { isApplied } from './runtime/applied.ts'

interface Secret extends KubernetesObject {
  data?: Record<string, string>
}

const annotation = 'carillon.dev/content-version'

/** The version of a Secret's content, or undefined when it bears none. */
export const versionOf = ({ metadata }: KubernetesObject): string | undefined =>
  metadata.annotations?.[annotation]

/**
 * Gives Secrets a version that changes when their content does, and with nothing else: neither with a label, nor when what was edited or deleted by hand is put
 * right. It is a random one, kept in an annotation of the Secret, so it says nothing of the content, as a hash of a password would.
 */
export class SecretVersions {
  /** What this process wrote: the Secret that is seen may be an older one. */
  readonly #written = new Map<string, { content: string; version: string }>()

  /** @param live the Secret of that name as it is, if it is */
  stamp<S extends Secret>(wanted: S, live: Secret | undefined): S {
    const key = keyOf(nameOf(wanted))
    const content = createHash('sha256').update(JSON.stringify(wanted.data)).digest('base64')
    const written = this.#written.get(key)
    const isSame = live !== undefined && isApplied(live.data, wanted.data)
    const version =
      (written?.content === content ? written.version : undefined) ??
      (isSame ? versionOf(live) : undefined) ??
      randomUUID()
    this.#written.set(key, { content, version })
    return { ...wanted, metadata: { ...wanted.metadata, annotations: { [annotation]: version } } }
  }

  /** The Secret of that name is no longer wanted. */
  forget(name: ObjectName): void {
    this.#written.delete(keyOf(name))
  }
}
