import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ConsumedRecord, RecordToProduce } from '../broker/broker.ts'
import { envelopeVersion, header } from '../notification/envelope.ts'
import type { NotificationChannel } from '../resources/channel.ts'
import type { NotificationTemplate } from '../resources/template.ts'
import { kinds } from './kinds.ts'

/**
 * Records of the catalog topic. Keys are `Kind/namespace/name`, for the revisions of a template also with `@revision`, and `synced` for the marker
 * that ends a publication. Every value says who published it, because a source may only take back what is its own.
 */

export type Resource = NotificationChannel | NotificationTemplate

/** Where resources come from. Each source publishes its own and never touches another's. */
export const sources = ['folder', 'kubernetes', 'api'] as const
export type Source = (typeof sources)[number]

export const syncedKey = 'synced'

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

const value = z.object({
  source: z.enum(sources),
  revision: z.string().min(1).max(64),
  resource: z.discriminatedUnion('kind', [kinds.NotificationChannel, kinds.NotificationTemplate]),
})

export function keyOf({ kind, metadata }: Resource): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`
}

export function revisionKeyOf(resource: Resource, revision: string): string {
  return `${keyOf(resource)}@${revision}`
}

/** A short hash of the spec: equal for equal specs, whatever the order of their fields. */
export function revisionOf({ spec }: Resource): string {
  return createHash('sha256').update(canonical(spec)).digest('hex').slice(0, 12)
}

export function publishedRecord(topic: string, key: string, published: Published): RecordToProduce {
  return { topic, key, value: Buffer.from(JSON.stringify(published)), headers }
}

export function removedRecord(topic: string, key: string): RecordToProduce {
  return { topic, key, value: null, headers }
}

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
  return { kind: 'published', key, ...parsed.data }
}

const headers = { [header.version]: String(envelopeVersion), 'content-type': 'application/json' }

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

/** JSON with the keys of every object in order. */
function canonical(part: unknown): string {
  return JSON.stringify(part, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  )
}
