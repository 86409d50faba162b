import type { Producer, RecordToProduce } from '../broker/broker.ts'
import {
  keyOf,
  type Published,
  publishedRecord,
  type Resource,
  removedRecord,
  revisionKeyOf,
  revisionOf,
  type Source,
  syncedRecord,
} from './records.ts'

export interface PublishOptions {
  producer: Producer
  topic: string
  source: Source
  /** Everything the source holds valid. What it published before and is not here is taken back. */
  resources: readonly Resource[]
  /** What the catalog says now: it is compared and repaired, never assumed. */
  published: ReadonlyMap<string, Published>
}

/**
 * Publishes the resources of one source: writes what differs, takes back what is gone, and ends with the *synced* marker. Writes nothing but
 * the marker when all is as it should be. A revision of a template stays when a newer one takes its place, because deliveries that wait
 * for a retry name it. Resources of other sources are left alone, also where the names are the same; answers their keys.
 */
export async function publishCatalog(options: PublishOptions): Promise<{ refused: string[] }> {
  const { producer, topic, source, resources, published } = options
  const wanted = resources.flatMap(recordsOf)
  const refused = wanted.filter(([key]) => isOthers(published.get(key), source)).map(([key]) => key)
  const keep = new Set(wanted.map(([key]) => key))
  const records: RecordToProduce[] = []
  for (const [key, resource] of wanted) {
    const current = published.get(key)
    const revision = revisionOf(resource)
    if (isOthers(current, source)) continue
    if (current?.revision !== revision || current.source !== source) {
      records.push(publishedRecord(topic, key, { source, revision, resource }))
    }
  }
  for (const [key, entry] of published) {
    if (entry.source === source && !keep.has(key) && !isRevision(key)) records.push(removedRecord(topic, key))
  }
  await producer.produce([...records, syncedRecord(topic, source)])
  return { refused: refused.filter((key) => !isRevision(key)) }
}

/** A resource under its name, and a template also under its revision. */
function recordsOf(resource: Resource): [string, Resource][] {
  const current: [string, Resource] = [keyOf(resource), resource]
  return resource.kind === 'NotificationTemplate'
    ? [[revisionKeyOf(resource, revisionOf(resource)), resource], current]
    : [current]
}

const isOthers = (entry: Published | undefined, source: Source) =>
  entry !== undefined && entry.source !== source
const isRevision = (key: string) => key.includes('@')
