import { createHash } from 'node:crypto'
import { keyOf, type KubernetesObject, nameOf } from './api/resource-kind.ts'
import { isApplied } from './applied.ts'
import { differences, hasPath, pathText } from './differences.ts'
import { takers } from './owned.ts'

/** What was put right of an object that somebody else had changed or deleted. */
export interface Correction {
  /** As it is now. */
  object: KubernetesObject
  /** Paths of what was put back; undefined where the whole object was made again. */
  fields: readonly string[] | undefined
  /** The field managers that had taken any of it, such as `kubectl-edit`. */
  by: readonly string[]
}

export interface Write {
  wanted: KubernetesObject
  /** What was seen before. */
  live: KubernetesObject | undefined
  /** What the API server answered. */
  applied: KubernetesObject
}

interface MadeObject {
  /** Tells one content from another. */
  content: string
  uid: string | undefined
  version: number
  /** Whether it was ever seen, or only made. */
  seen: boolean
}

/**
 * What one manager made of objects, and saw that it is so: by that a change of somebody else's is told from one of its own mind. A cache may be older than
 * the last write, and what it says then is no news.
 */
export class Made {
  readonly #manager: string
  readonly #made = new Map<string, MadeObject>()

  constructor(manager: string) {
    this.#manager = manager
  }

  /** Takes note that an object was seen to be as it should be. */
  saw(wanted: KubernetesObject, live: KubernetesObject): void {
    this.#note(wanted, live, true)
  }

  /** Takes note that an object was made so. A dry run never sees what it made. */
  wrote(wanted: KubernetesObject, applied: KubernetesObject): void {
    const before = this.#made.get(keyOf(nameOf(wanted)))
    this.#note(wanted, applied, before?.uid === applied.metadata.uid && before?.seen === true)
  }

  #note(wanted: KubernetesObject, { metadata }: KubernetesObject, seen: boolean): void {
    const key = keyOf(nameOf(wanted))
    const version = versionOf(metadata)
    if (version < (this.#made.get(key)?.version ?? 0)) return
    this.#made.set(key, { content: contentOf(wanted), uid: metadata.uid, version, seen })
  }

  forget(object: KubernetesObject): void {
    this.#made.delete(keyOf(nameOf(object)))
  }

  /** What a write has put right, if it was for that. To be asked before the outcome is noted. */
  correction({ wanted, live, applied }: Write): Correction | undefined {
    const made = this.#made.get(keyOf(nameOf(wanted)))
    const isAsBefore = made?.content === contentOf(wanted)
    if (live === undefined)
      return isAsBefore && made?.seen && made.uid !== applied.metadata.uid
        ? { object: applied, fields: undefined, by: [] }
        : undefined
    const isNews = versionOf(live.metadata) >= (made?.version ?? 0)
    // What somebody else puts in again at once, as a webhook does, was not put right.
    if (!isNews || !isApplied(applied, wanted)) return undefined
    const by = takers(live, wanted, this.#manager)
    if (!isAsBefore && by.length === 0) return undefined
    // Other controllers may have written meanwhile.
    const fields = differences(live, applied).filter(
      (path) => hasPath(wanted, path) || !hasPath(applied, path),
    )
    return fields.length === 0
      ? undefined
      : { object: applied, fields: fields.map((path) => pathText(live, path)), by }
  }
}

function contentOf(wanted: KubernetesObject): string {
  return createHash('sha256').update(JSON.stringify(wanted)).digest('base64')
}

/** Versions of one kind can be compared: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions. */
function versionOf({ resourceVersion }: KubernetesObject['metadata']): number {
  return Number(resourceVersion)
}
