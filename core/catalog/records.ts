import { z } from 'zod'
import type { ConsumedRecord, RecordToProduce } from '../broker/broker.ts'
import { hashOfJson } from '../canonical-json.ts'
import { envelopeVersion, header } from '../notification/envelope.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import type { NotificationTemplate } from '../resources/template.ts'

/**
 * Records of the catalog topic. Keys are `Kind/namespace/name`, for the revisions of a template also with `@revision`, and `synced` for the marker
 * that ends a publication. Every value says who published it, because a source may only take back what is its own.
 */

export type Resource = NotificationChannel | NotificationTemplate

/** Where resources come from. Each source publishes its own and never touches another's. */
const sources = ['folder', 'kubernetes', 'api'] as const
export type Source = (typeof sources)[number]

const syncedKey = 'synced'

export interface Published {
  source: Source
  revision: string
  resource: Resource
}

/** What a record of the catalog says. */
export type CatalogRecord =
  | { kind: 'synced' }
  | { kind: 'removed'; key: string }
  | ({ kind: 'published'; key: string } & Published)
  | { kind: 'unreadable'; key: string | null; detail: string }

/**
 * The shape alone: the publisher has validated the rest, and a full check of every record would cost seconds at the start of each process. A
 * field that a newer publisher added is no reason to lose a resource either; what readers must not misread gets a new envelope version.
 */
const value = z.object({
  source: z.enum(sources),
  revision: z.string().min(1).max(64),
  resource: z.looseObject({
    kind: z.enum(['NotificationChannel', 'NotificationTemplate']),
    metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
    spec: z.looseObject({}),
  }),
})

/** The key under which a resource is published: `kind/namespace/name`. It holds the newest revision. */
export function keyOf({ kind, metadata }: Resource): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`
}

/** The channel that a key is of, or undefined when it is another's. */
export function channelOfKey(key: string): { namespace: string; name: string } | undefined {
  const [kind, namespace, name] = key.split('/')
  return kind === 'NotificationChannel' && namespace !== undefined && name !== undefined
    ? { namespace, name }
    : undefined
}

/** The key of one revision of a template, which lasts as long as a retry or a dead letter may name it. */
export function revisionKeyOf(resource: Resource, revision: string): string {
  return `${keyOf(resource)}@${revision}`
}

/** A short hash of the spec: equal for equal specs, whatever the order of their fields. */
export function revisionOf({ spec }: Resource): string {
  return hashOfJson(spec).slice(0, 12)
}

/** The record that publishes a resource, under either kind of key. Status and annotations are left out. */
export function publishedRecord(topic: string, key: string, published: Published): RecordToProduce {
  const { apiVersion, kind, metadata, spec } = published.resource
  const { name, namespace, labels } = metadata
  // Annotations hold what tools keep for themselves, whole former manifests among it.
  const resource = { apiVersion, kind, metadata: { name, namespace, ...(labels && { labels }) }, spec }
  return { topic, key, value: Buffer.from(JSON.stringify({ ...published, resource })), headers }
}

/** The tombstone of a key. */
export function removedRecord(topic: string, key: string): RecordToProduce {
  return { topic, key, value: null, headers }
}

/** The record that says that all a source had is published: before it, what is missing may only be late. */
export function syncedRecord(topic: string, source: Source): RecordToProduce {
  return { topic, key: syncedKey, value: Buffer.from(JSON.stringify({ source })), headers }
}

/** Reads a record. One that this version cannot read is told as such: its key keeps what it had. */
export function readRecord(record: ConsumedRecord): CatalogRecord {
  const { key } = record
  if (key === null) return { kind: 'unreadable', key, detail: 'no key' }
  if (record.headers[header.version] !== String(envelopeVersion)) {
    return { kind: 'unreadable', key, detail: 'unknown version' }
  }
  if (key === syncedKey) return { kind: 'synced' }
  if (record.value === null) return { kind: 'removed', key }
  const parsed = value.safeParse(parseJson(record.value))
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? ''
    return { kind: 'unreadable', key, detail: `not a resource of this version: ${path}` }
  }
  const { source, revision, resource } = parsed.data
  return { kind: 'published', key, source, revision, resource: resource as unknown as Resource }
}

const headers = { [header.version]: String(envelopeVersion), 'content-type': 'application/json' }

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
