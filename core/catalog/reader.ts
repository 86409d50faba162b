import type { Broker, ConsumedRecord, TopicPartitionOffset } from '../broker/broker.ts'
import type { Logger } from '../observability/logger.ts'
import { createBatcher } from '../store/batcher.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import type { NotificationTemplate } from '../resources/template.ts'
import type { Catalog, CatalogEntry } from './catalog.ts'
import { type Published, readRecord } from './records.ts'

/** Milliseconds since the epoch: after every record. */
const farFuture = Date.parse('9999-01-01T00:00:00Z')

/** What the catalog says under a key, and since when. */
export interface Entry extends Published {
  /** Milliseconds since the epoch. */
  publishedAt: number
}

export interface OpenCatalog extends Catalog {
  /** Everything in the catalog by key, revisions too: what a publisher compares with. */
  published(): ReadonlyMap<string, Entry>
  /** Stops following. */
  close(): Promise<void>
}

/** Loads the catalog topic and follows it. Resolves when what is in the topic now has been read. */
export async function openCatalog({
  broker,
  topic,
  logger,
}: {
  broker: Broker
  topic: string
  logger: Logger
}): Promise<OpenCatalog> {
  const entries = new Map<string, Entry>()
  const listeners = new Set<(key?: string) => void>()
  let synced = false
  /** Where reading goes on in each partition, as far as records have come. */
  const positions = new Map<number, number>()
  let isBehind = false

  function apply(record: ConsumedRecord): void {
    positions.set(record.partition, record.offset + 1)
    const read = readRecord(record)
    switch (read.kind) {
      case 'unreadable':
        logger.error({ key: read.key, offset: record.offset, detail: read.detail }, 'Catalog record ignored')
        return
      case 'synced':
        if (synced) return
        synced = true
        break
      case 'removed':
        if (!entries.delete(read.key)) return
        break
      case 'published': {
        const { key, source, revision, resource } = read
        entries.set(key, { source, revision, resource, publishedAt: record.timestamp })
      }
    }
    const key = read.kind === 'synced' ? undefined : read.key
    for (const listener of listeners) listener(key)
  }

  // Of what was compacted away at the end of a partition no record comes: what was there at the start has been read when that is over.
  const start = await readEnds()
  const follower = await broker.follow(topic, apply)
  for (const { partition, offset } of start)
    positions.set(partition, Math.max(offset, positions.get(partition) ?? 0))

  function readEnds(): Promise<TopicPartitionOffset[]> {
    return broker.admin.offsetsAt([{ topic, timestamp: farFuture }])
  }

  const isCurrent = createBatcher<undefined, boolean>({
    maxItems: Infinity,
    async flush(callers) {
      const ends = await readEnds().catch((error: unknown) => {
        logger.warn({ err: error, topic }, 'The end of the catalog cannot be read')
        return undefined
      })
      const current =
        ends?.every(({ partition, offset }) => (positions.get(partition) ?? 0) >= offset) ?? false
      if (ends !== undefined && isBehind === current) {
        isBehind = !current
        if (isBehind)
          logger.warn({ topic }, 'The catalog of this process is behind: what is missing in it is waited for')
        else logger.info({ topic }, 'The catalog of this process is current again')
      }
      return callers.map(() => current)
    },
  })

  /** Current resources, in order of namespace and name. Keys of revisions carry an `@`. */
  function list<R extends NotificationChannel | NotificationTemplate>(
    kind: R['kind'],
    namespace: string | undefined,
  ): CatalogEntry<R>[] {
    const prefix = namespace === undefined ? `${kind}/` : `${kind}/${namespace}/`
    return [...entries]
      .filter(([key]) => key.startsWith(prefix) && !key.includes('@'))
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([, { revision, resource }]) => ({ revision, resource: resource as R }))
  }

  const channel = (key: string) => entries.get(key) as CatalogEntry<NotificationChannel> | undefined
  const template = (key: string) => entries.get(key) as CatalogEntry<NotificationTemplate> | undefined

  return {
    synced: () => synced,
    channel: (namespace, name) => channel(`NotificationChannel/${namespace}/${name}`),
    channels: (namespace) => list<NotificationChannel>('NotificationChannel', namespace),
    template: (namespace, name) => template(`NotificationTemplate/${namespace}/${name}`),
    templateRevision(namespace, name, revision) {
      const key = `NotificationTemplate/${namespace}/${name}`
      const current = template(key)
      return current?.revision === revision ? current : template(`${key}@${revision}`)
    },
    templates: (namespace) => list<NotificationTemplate>('NotificationTemplate', namespace),
    isCurrent: () => isCurrent(undefined),
    published: () => entries,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => follower.close(),
  }
}

/** What is in the catalog now: nothing at all before the first publication, when there is no topic yet. */
export async function readCatalog(
  source: Parameters<typeof openCatalog>[0],
): Promise<ReadonlyMap<string, Entry>> {
  const [existing] = await source.broker.admin.describeTopics([source.topic])
  if (existing === undefined) return new Map()
  const catalog = await openCatalog(source)
  await catalog.close()
  return catalog.published()
}
