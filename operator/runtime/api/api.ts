import type { ApiRequest, Requests } from './connection.ts'
import { type KubernetesObject, type ObjectName, pathOf, type ResourceKind } from './resource-kind.ts'

export interface ListOptions {
  /** All of them when absent. */
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  /** Only the metadata: for what is watched and not held, such as Secrets. */
  metadataOnly?: boolean
}

export interface ListResult<T> {
  resourceVersion: string
  items: T[]
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: { code?: number; reason?: string; message?: string } }

export interface ApplyOptions {
  /** Who owns the fields that are sent. */
  fieldManager: string
  subresource?: 'status'
  dryRun?: boolean
}

/** Objects per page of a list: the API server holds a page in memory, not the collection. */
const pageSize = 500
/** Seconds after which the API server ends a watch; a little random, so that all watches do not come back at once. */
const watchSeconds = 300
/** Milliseconds. With bookmarks a healthy watch says something about every minute. */
const watchSilence = 150_000

/** The verbs of the Kubernetes API that the operator uses. Every one rejects with an ApiError when the server refuses. */
export class Api {
  readonly #connection: Requests
  readonly #beforeWrite: () => void

  /** @param beforeWrite throws when nothing may be written any more */
  constructor(connection: Requests, beforeWrite: () => void = () => {}) {
    this.#connection = connection
    this.#beforeWrite = beforeWrite
  }

  get<T extends KubernetesObject>(kind: ResourceKind, name: ObjectName, signal?: AbortSignal): Promise<T> {
    return this.#connection.ask<T>({ method: 'GET', path: pathOf(kind, name) }, signal)
  }

  /** The whole collection, page by page. */
  async list<T extends KubernetesObject>(
    kind: ResourceKind,
    options: ListOptions = {},
    signal?: AbortSignal,
  ): Promise<ListResult<T>> {
    const items: T[] = []
    for (let next: string | undefined; ; ) {
      const query = { ...selectors(options), limit: String(pageSize), ...(next && { continue: next }) }
      const page = await this.#connection.ask<{
        metadata: { resourceVersion: string; continue?: string }
        items: T[] | null
      }>({ method: 'GET', path: collection(kind, options, query), ...accept(options, 'List') }, signal)
      // Of metadata alone an empty list may be null, as Go writes a slice that was never made. Items come without kind and version.
      for (const item of page.items ?? [])
        items.push(options.metadataOnly ? item : { ...item, apiVersion: kind.apiVersion, kind: kind.kind })
      next = page.metadata.continue || undefined
      if (next === undefined) return { resourceVersion: page.metadata.resourceVersion, items }
    }
  }

  /**
   * What happened since a resource version, until the server ends it, the connection breaks (rejects) or the signal says so. Resolves once the
   * server has begun to tell.
   */
  async watch<T extends KubernetesObject>(
    kind: ResourceKind,
    options: ListOptions & { resourceVersion: string },
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchEvent<T>>> {
    const query = {
      ...selectors(options),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(Math.round(watchSeconds * (1 + Math.random() / 5))),
    }
    const path = collection(kind, options, query)
    const response = await this.#connection.open(
      { method: 'GET', path, silence: watchSilence, ...accept(options, '') },
      signal,
    )
    return events<T>(response.body)
  }

  create<T extends KubernetesObject>(kind: ResourceKind, object: T, signal?: AbortSignal): Promise<T> {
    const path = pathOf(kind, { namespace: object.metadata.namespace ?? '' })
    return this.#write<T>({ method: 'POST', path, body: object }, signal)
  }

  /** Replaces what has the object's resource version; rejects with a conflict when somebody wrote since. */
  replace<T extends KubernetesObject>(kind: ResourceKind, object: T, signal?: AbortSignal): Promise<T> {
    const { namespace = '', name } = object.metadata
    return this.#write<T>({ method: 'PUT', path: pathOf(kind, { namespace, name }), body: object }, signal)
  }

  /** Server-side apply: makes the fields that are sent, and those alone, what they say. Takes them from whoever had them. */
  apply<T extends KubernetesObject>(
    kind: ResourceKind,
    object: KubernetesObject,
    { fieldManager, subresource, dryRun }: ApplyOptions,
    signal?: AbortSignal,
  ): Promise<T> {
    const { namespace = '', name } = object.metadata
    const query = new URLSearchParams({ fieldManager, force: 'true', ...(dryRun && { dryRun: 'All' }) })
    const path = `${pathOf(kind, { namespace, name, ...(subresource && { subresource }) })}?${query.toString()}`
    return this.#write<T>(
      { method: 'PATCH', path, body: object, contentType: 'application/apply-patch+yaml' },
      signal,
    )
  }

  /** Merges (RFC 7396) into an object or one of its subresources. */
  merge<T>(
    kind: ResourceKind,
    target: ObjectName & { subresource?: string },
    patch: object,
    { fieldManager }: Pick<ApplyOptions, 'fieldManager'>,
    signal?: AbortSignal,
  ): Promise<T> {
    const path = `${pathOf(kind, target)}?${new URLSearchParams({ fieldManager }).toString()}`
    return this.#write<T>(
      { method: 'PATCH', path, body: patch, contentType: 'application/merge-patch+json' },
      signal,
    )
  }

  /** Deletes, and what it owns after it. With a uid only that very object, not a later one of the same name. */
  async delete(kind: ResourceKind, name: ObjectName, uid?: string, signal?: AbortSignal): Promise<void> {
    const body = { propagationPolicy: 'Background', ...(uid !== undefined && { preconditions: { uid } }) }
    await this.#write({ method: 'DELETE', path: pathOf(kind, name), body }, signal)
  }

  async #write<T>(request: ApiRequest, signal: AbortSignal | undefined): Promise<T> {
    this.#beforeWrite()
    return await this.#connection.ask<T>(request, signal)
  }
}

function selectors({ labelSelector, fieldSelector }: ListOptions): Record<string, string> {
  return { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) }
}

function collection(kind: ResourceKind, { namespace = '' }: ListOptions, query: Record<string, string>) {
  return `${pathOf(kind, { namespace })}?${new URLSearchParams(query).toString()}`
}

function accept({ metadataOnly }: ListOptions, suffix: 'List' | ''): { accept?: string } {
  return metadataOnly
    ? { accept: `application/json;as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1` }
    : {}
}

async function* events<T>(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent<T>> {
  for await (const line of lines(body)) yield JSON.parse(line) as WatchEvent<T>
}

async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop()!
    for (const part of parts) if (part !== '') yield part
  }
}
