import type { Producer } from '../../core/broker/broker.ts'
import { publishCatalog } from '../../core/catalog/publisher.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { keyOf, type Resource, revisionOf } from '../../core/catalog/records.ts'
import type { Logger } from '../../core/observability/logger.ts'

export interface PublisherOptions {
  producer: Producer
  catalog: OpenCatalog
  topic: string
  /** Runs before a state is published: what is in the catalog may be sent to at once, so its topics must be there. */
  prepare: (resources: readonly Resource[]) => Promise<void>
  logger: Logger
}

/** Milliseconds until what was written and cannot be read is written again. */
const patience = 2_000

/**
 * Publishes what a folder holds, one state at a time and always the newest: states that come while one is being written are skipped but
 * for the last. A state counts as published when the catalog reads so; until then it is written again.
 */
export class FolderPublisher {
  readonly #options: PublisherOptions
  readonly #stopping = new AbortController()
  #next: readonly Resource[] | undefined
  #running: Promise<void> | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Resolves when this state, or a newer one, is what the catalog says. */
  publish(resources: readonly Resource[]): Promise<void> {
    this.#next = resources
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { producer, catalog, topic, prepare, logger } = this.#options
    while (this.#next !== undefined && !this.#stopping.signal.aborted) {
      const resources = this.#next
      this.#next = undefined
      try {
        await prepare(resources)
        await publishCatalog({ producer, topic, source: 'folder', resources, published: catalog.published() })
      } catch (error) {
        logger.error({ err: error }, 'The catalog cannot be written; trying again')
      }
      if (!(await this.#awaitReading(resources))) this.#next ??= resources
    }
  }

  /** Waits a moment for the catalog to say what was written: the next state is compared with what it says. */
  async #awaitReading(resources: readonly Resource[]): Promise<boolean> {
    const deadline = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(patience)])
    while (!saysSo(this.#options.catalog, resources)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const unsubscribe = this.#options.catalog.onChange(() => resolve())
      deadline.addEventListener('abort', () => resolve(), { once: true })
      await promise
      unsubscribe()
      if (deadline.aborted) return false
    }
    return true
  }
}

/** Whether the folder's part of the catalog is exactly these. Names that belong to another source are not the folder's to publish. */
function saysSo(catalog: OpenCatalog, resources: readonly Resource[]): boolean {
  const published = catalog.published()
  const wanted = new Set(resources.map(keyOf))
  const gone = [...published].every(
    ([key, { source }]) => source !== 'folder' || key.includes('@') || wanted.has(key),
  )
  return (
    gone &&
    catalog.synced() &&
    resources.every((resource) => {
      const entry = published.get(keyOf(resource))
      return entry !== undefined && (entry.source !== 'folder' || entry.revision === revisionOf(resource))
    })
  )
}

/**
 * The folder's resources, and those that it published before and has no good version of now. A folder just opened knows no last
 * good revision; the catalog does. What was removed on purpose goes as soon as nothing is wrong with the rest.
 */
export function withLastGood(resources: readonly Resource[], catalog: OpenCatalog): Resource[] {
  const found = new Set(resources.map(keyOf))
  const missing = [...catalog.published()].filter(
    ([key, { source }]) => source === 'folder' && !key.includes('@') && !found.has(key),
  )
  return [...resources, ...missing.map(([, { resource }]) => resource)]
}
