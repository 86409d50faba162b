import { keyOf, type KubernetesObject, nameOf, type ObjectName } from '../api/resource-kind.ts'

/** Is told of every object that came, changed or went. `previous` is what the cache held before. */
export type CacheListener<T> = (object: T, previous: T | undefined) => void

/** The objects of one kind as they were last seen: what reconciling reads instead of asking the API server. */
export class Cache<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>()
  readonly #listeners: CacheListener<T>[] = []

  get(name: ObjectName): T | undefined {
    return this.#objects.get(keyOf(name))
  }

  /** Whether there is an object of this one's name. */
  has(object: KubernetesObject): boolean {
    return this.#objects.has(keyOf(nameOf(object)))
  }

  list(): T[] {
    return [...this.#objects.values()]
  }

  onChange(listener: CacheListener<T>): void {
    this.#listeners.push(listener)
  }

  put(object: T): void {
    const key = keyOf(nameOf(object))
    const previous = this.#objects.get(key)
    if (previous !== undefined && previous.metadata.resourceVersion === object.metadata.resourceVersion)
      return
    this.#objects.set(key, object)
    this.#tell(object, previous)
  }

  remove(object: T): void {
    const key = keyOf(nameOf(object))
    const previous = this.#objects.get(key)
    if (!this.#objects.delete(key)) return
    this.#tell(object, previous)
  }

  /** Makes the objects of one namespace, or of all, what a list says: what is missing there has gone unseen. */
  replace(objects: readonly T[], namespace: string | undefined): void {
    const present = new Set(objects.map((object) => keyOf(nameOf(object))))
    for (const [key, object] of this.#objects) {
      const listed = namespace === undefined || object.metadata.namespace === namespace
      if (listed && !present.has(key)) this.remove(object)
    }
    for (const object of objects) this.put(object)
  }

  #tell(object: T, previous: T | undefined): void {
    for (const listener of this.#listeners) listener(object, previous)
  }
}
