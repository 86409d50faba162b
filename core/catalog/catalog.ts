import type { NotificationChannel } from '../resources/channel.ts'
import type { NotificationTemplate } from '../resources/template.ts'

/**
 * What every process knows of the declared resources: the compacted catalog topic, loaded at start and followed. It holds only
 * resources that were found valid; a broken edit leaves the last good revision here.
 */
export interface Catalog {
  /** False until everything published before the first *synced* marker has been read: answer 503, not 422, until then. */
  synced(): boolean
  channel(namespace: string, name: string): CatalogEntry<NotificationChannel> | undefined
  /** In order of name. */
  channels(namespace?: string): CatalogEntry<NotificationChannel>[]
  /** The current revision. */
  template(namespace: string, name: string): CatalogEntry<NotificationTemplate> | undefined
  /** A revision that a delivery names; older ones are kept as long as a retry or dead letter may name them. */
  templateRevision(
    namespace: string,
    name: string,
    revision: string,
  ): CatalogEntry<NotificationTemplate> | undefined
  templates(namespace?: string): CatalogEntry<NotificationTemplate>[]
  /**
   * Whether everything that was in the catalog topic at the call has been read. What is missing then does not exist; else it may be on its way. False
   * also when the brokers cannot say. Callers at the same time share one question.
   */
  isCurrent(): Promise<boolean>
  /**
   * Calls back after each change of a channel or template, with the key of its record, and once without when it becomes synced. Returns
   * a function that stops it.
   */
  onChange(listener: (key?: string) => void): () => void
}

/** A resource in the catalog. `revision` changes exactly when its spec does. */
export interface CatalogEntry<R> {
  revision: string
  resource: R
}
