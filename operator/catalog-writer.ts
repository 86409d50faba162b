import type { Producer, RecordToProduce } from '../core/broker/broker.ts'
import { produceAndRead } from '../core/broker/produce-and-read.ts'
import type { OpenCatalog } from '../core/catalog/reader.ts'
import {
  keyOf,
  publishedRecord,
  type Resource,
  removedRecord,
  revisionKeyOf,
  revisionOf,
  syncedRecord,
} from '../core/catalog/records.ts'
import type { NotificationChannel } from '../core/resources/channel.ts'
import type { ObjectName } from './runtime/api/resource-kind.ts'

export interface CatalogWriterOptions {
  producer: Producer
  topic: string
  catalog: Pick<OpenCatalog, 'published' | 'onChange'>
  /** Throws when nothing may be written any more. */
  beforeWrite: () => void
}

const source = 'kubernetes'

/**
 * Publishes resources one by one. What the catalog says is read back and compared, never assumed: a leader that was frozen may have written
 * after us, and whoever then looks at the resource again repairs that.
 */
export class CatalogWriter {
  readonly #options: CatalogWriterOptions

  constructor(options: CatalogWriterOptions) {
    this.#options = options
  }

  /** Who else published a resource of this name, if anybody. */
  foreignSource(key: string): string | undefined {
    const entry = this.#options.catalog.published().get(key)
    return entry === undefined || entry.source === source ? undefined : entry.source
  }

  /** The channel of this name as it was published last, from here. */
  channel({ namespace, name }: ObjectName): NotificationChannel | undefined {
    const entry = this.#options.catalog.published().get(`NotificationChannel/${namespace}/${name}`)
    return entry?.source === source && entry.resource.kind === 'NotificationChannel'
      ? entry.resource
      : undefined
  }

  /**
   * Makes the catalog say what the resource does, and resolves with its revision once it has been read back. Writes nothing when it does already. Rejects
   * with a BrokerError, or with the signal's reason.
   */
  async publish(resource: Resource, signal: AbortSignal): Promise<string> {
    const revision = revisionOf(resource)
    const key = keyOf(resource)
    // The revision first: nobody may read a current template whose revision is not there.
    const keys = resource.kind === 'NotificationTemplate' ? [revisionKeyOf(resource, revision), key] : [key]
    const { topic } = this.#options
    const stale = keys.filter((key) => !this.#says(key, revision))
    await this.#write(
      stale.map((key) => publishedRecord(topic, key, { source, revision, resource })),
      () => keys.every((key) => this.#says(key, revision)),
      signal,
    )
    return revision
  }

  /** Takes keys back, and resolves once they are read as gone. */
  async remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const { topic, catalog } = this.#options
    const present = () => keys.filter((key) => catalog.published().get(key)?.source === source)
    await this.#write(
      present().map((key) => removedRecord(topic, key)),
      () => present().length === 0,
      signal,
    )
  }

  /** Says that everything there was at the start is published: until then the API answers 503, not 422. */
  async markSynced(): Promise<void> {
    const { producer, topic, beforeWrite } = this.#options
    beforeWrite()
    await producer.produce([syncedRecord(topic, source)])
  }

  #says(key: string, revision: string): boolean {
    const entry = this.#options.catalog.published().get(key)
    return entry?.source === source && entry.revision === revision
  }

  async #write(
    records: readonly RecordToProduce[],
    isRead: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted()
    if (records.length === 0) return
    const { producer, catalog, beforeWrite } = this.#options
    beforeWrite()
    const onChange = (listener: () => void) => catalog.onChange(listener)
    await produceAndRead({ producer, records, onChange, isRead }, signal)
  }
}
