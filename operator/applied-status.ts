import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../core/clock.ts'
import type { Api } from './runtime/api/api.ts'
import type { Cache } from './runtime/watch/cache.ts'
import { keyOf, type KubernetesObject, nameOf, type ResourceKind } from './runtime/api/resource-kind.ts'

export interface AppliedStatusOptions<T extends KubernetesObject, S> {
  api: Pick<Api, 'apply'>
  kind: ResourceKind
  /** The objects of that kind: what is known of one ends with it. */
  objects: Cache<T>
  /** Owner of the fields that are written: each applies its part of a status without the others'. */
  fieldManager: string
  /** What of an object's status is written here, as it was last seen. */
  part: (object: T) => S | undefined
  clock: Clock
}

/**
 * Our part of the status of one kind of objects: written when it says anything new, and known again when somebody else wrote it. The cache may be older than
 * our last write, so that is remembered too: what looks equal to the cache may not be what the API server has.
 */
export class AppliedStatus<T extends KubernetesObject, S extends object> {
  readonly #options: AppliedStatusOptions<T, S>
  readonly #written = new Map<string, { uid: string | undefined; status: S; at: number }>()

  constructor(options: AppliedStatusOptions<T, S>) {
    this.#options = options
    const { objects } = options
    objects.onChange((object) => {
      if (!objects.has(object)) this.#written.delete(keyOf(nameOf(object)))
    })
  }

  /** Answers whether anything was written. */
  async apply(object: T, status: S, signal: AbortSignal): Promise<boolean> {
    const { api, kind, part, fieldManager, clock } = this.#options
    const written = this.#writtenTo(object)?.status ?? status
    if (isDeepStrictEqual(status, part(object)) && isDeepStrictEqual(status, written)) {
      // Said by whoever led before: from now on it is known whether somebody else changes it.
      if (this.#writtenTo(object) === undefined) this.#remember(object, status, -Infinity)
      return false
    }
    const { name, namespace = '' } = object.metadata
    const { apiVersion, kind: kindName } = kind
    await api.apply(
      kind,
      { apiVersion, kind: kindName, metadata: { name, namespace }, status } as KubernetesObject,
      { fieldManager, subresource: 'status' },
      signal,
    )
    this.#remember(object, status, clock.monotonic())
    return true
  }

  #remember(object: T, status: S, at: number): void {
    // What went while it was written is not told of again: it would be remembered for ever.
    if (!this.#options.objects.has(object)) return
    this.#written.set(keyOf(nameOf(object)), { uid: object.metadata.uid, status, at })
  }

  /** What was said last of the object, here or by whoever led before. */
  last(object: T): S | undefined {
    return this.#writtenTo(object)?.status ?? this.#options.part(object)
  }

  /** Milliseconds since the last write to the object from here. */
  age(object: T): number {
    return this.#options.clock.monotonic() - (this.#writtenTo(object)?.at ?? -Infinity)
  }

  /** Whether somebody else wrote our part. */
  isForeign(object: T): boolean {
    const written = this.#writtenTo(object)
    return written !== undefined && !isDeepStrictEqual(written.status, this.#options.part(object))
  }

  /** Nothing of an earlier object of the same name counts: it may be gone and made again between two looks. */
  #writtenTo(object: T) {
    const written = this.#written.get(keyOf(nameOf(object)))
    return written?.uid === object.metadata.uid ? written : undefined
  }
}
