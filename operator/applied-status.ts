import { isDeepStrictEqual } from 'node:util'
import { manager } from './channel/names.ts'
import type { Api } from './runtime/api/api.ts'
import {
  keyOf,
  type KubernetesObject,
  nameOf,
  type ObjectName,
  type ResourceKind,
} from './runtime/api/resource-kind.ts'

export interface AppliedStatusOptions<T, S> {
  api: Pick<Api, 'apply'>
  kind: ResourceKind
  /** What of an object's status is written here, as it was last seen. */
  part: (object: T) => S | undefined
}

/**
 * Our part of the status of one kind of objects: written when it says anything new, and known again when somebody else wrote it. The cache may be older than
 * our last write, so that is remembered too: what looks equal to the cache may not be what the API server has.
 */
export class AppliedStatus<T extends KubernetesObject, S extends object> {
  readonly #options: AppliedStatusOptions<T, S>
  readonly #written = new Map<string, { uid: string | undefined; status: S }>()

  constructor(options: AppliedStatusOptions<T, S>) {
    this.#options = options
  }

  /** Answers whether anything was written. */
  async apply(object: T, status: S, signal: AbortSignal): Promise<boolean> {
    const { api, kind, part } = this.#options
    const written = this.#writtenTo(object) ?? status
    if (isDeepStrictEqual(status, part(object)) && isDeepStrictEqual(status, written)) return false
    const { name, namespace = '', uid } = object.metadata
    const { apiVersion, kind: kindName } = kind
    await api.apply(
      kind,
      { apiVersion, kind: kindName, metadata: { name, namespace }, status } as KubernetesObject,
      { fieldManager: manager, subresource: 'status' },
      signal,
    )
    this.#written.set(keyOf(nameOf(object)), { uid, status })
    return true
  }

  /** What was said last of the object, here or by whoever led before. */
  last(object: T): S | undefined {
    return this.#writtenTo(object) ?? this.#options.part(object)
  }

  /** Whether somebody else wrote our part. */
  isForeign(object: T): boolean {
    const written = this.#writtenTo(object)
    return written !== undefined && !isDeepStrictEqual(written, this.#options.part(object))
  }

  /** To be called when the object is gone. */
  forget(name: ObjectName): void {
    this.#written.delete(keyOf(name))
  }

  /** Nothing of an earlier object of the same name counts: it may be gone and made again between two looks. */
  #writtenTo(object: T): S | undefined {
    const written = this.#written.get(keyOf(nameOf(object)))
    return written?.uid === object.metadata.uid ? written?.status : undefined
  }
}
