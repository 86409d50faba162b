import type { ApiRequest, Requests } from '../runtime/api/connection.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import { differences, pathText } from '../runtime/differences.ts'

export interface DryRunNotes {
  /** Gets a line for each object that would be made, changed or deleted. */
  say: (line: string) => void
  /** Gets what would be written to the status of an object. */
  status: (object: KubernetesObject & { status?: object }) => void
}

/** Has the API server check every write and persist none of it (`dryRun=All`), and says what would have become of it. */
export class DryRunConnection implements Requests {
  readonly #real: Requests
  readonly #notes: DryRunNotes

  constructor(real: Requests, notes: DryRunNotes) {
    this.#real = real
    this.#notes = notes
  }

  open(...args: Parameters<Requests['open']>): ReturnType<Requests['open']> {
    return this.#real.open(...args)
  }

  async ask<T>(request: ApiRequest, signal?: AbortSignal): Promise<T> {
    const url = new URL(request.path, 'http://api')
    const object = request.body as KubernetesObject | undefined
    if (request.method === 'GET') return await this.#real.ask<T>(request, signal)
    // Events are news of what was not done.
    if (object?.kind === 'Event') return object as T
    if (url.pathname.endsWith('/status')) {
      this.#notes.status(object!)
      return object as T
    }
    // How many workers there are is decided anew every few seconds.
    if (url.pathname.endsWith('/scale')) return object as T
    const before = await this.#look(url.pathname, signal)
    url.searchParams.set('dryRun', 'All')
    const after = await this.#real.ask<T>({ ...request, path: url.pathname + url.search }, signal)
    this.#tell(request.method === 'DELETE' ? undefined : (after as unknown as KubernetesObject), before)
    return after
  }

  /** By a list of one: what the operator watches it may list, and need not be allowed to get. */
  async #look(path: string, signal: AbortSignal | undefined): Promise<KubernetesObject | undefined> {
    const slash = path.lastIndexOf('/')
    const query = new URLSearchParams({ fieldSelector: `metadata.name=${path.slice(slash + 1)}` })
    const { kind, items } = await this.#real.ask<{ kind: string; items: KubernetesObject[] }>(
      { method: 'GET', path: `${path.slice(0, slash)}?${query.toString()}` },
      signal,
    )
    return items[0] && { ...items[0], kind: kind.replace(/List$/, '') }
  }

  #tell(after: KubernetesObject | undefined, before: KubernetesObject | undefined): void {
    const object = after ?? before
    if (object === undefined) return
    const { kind, metadata } = object
    const name = `${kind} ${metadata.namespace}/${metadata.name}`
    if (after === undefined) return this.#notes.say(`${name} deleted`)
    if (before === undefined) return this.#notes.say(`${name} created`)
    const paths = differences(before, after).map((path) => pathText(after, path))
    if (paths.length > 0) this.#notes.say(`${name} configured: ${paths.join(', ')}`)
  }
}
