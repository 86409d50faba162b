import { logRetention } from '../broker/topic-specs.ts'
import { parseDuration } from '../resources/duration.ts'
import type { Entry } from './reader.ts'
import type { Source } from './records.ts'

/**
 * Keys of revisions that nothing in Kafka can name any more. A request is kept for a week, its deliveries may wait for as long as their channel lets
 * them, and a dead letter lies for as long as its topic keeps it: once a revision has been out of service for all of that together, every record
 * that named it is gone. Pure.
 * @param goneSince when the template of a revision was first seen to be gone, by key of the revision
 * @param now milliseconds since the epoch
 */
export function outdatedRevisions(
  published: ReadonlyMap<string, Entry>,
  source: Source,
  goneSince: ReadonlyMap<string, number>,
  now: number,
): string[] {
  const grace = longestLife(published)
  return revisions(published, source).flatMap(({ key, current, entry }) => {
    if (current?.revision === entry.revision) return []
    const outSince = current?.publishedAt ?? goneSince.get(key) ?? now
    return now - outSince > grace ? [key] : []
  })
}

/** The revisions in the catalog that a source published, each with what serves under its template's name now. */
export function revisions(
  published: ReadonlyMap<string, Entry>,
  source: Source,
): { key: string; entry: Entry; current: Entry | undefined }[] {
  return [...published].flatMap(([key, entry]) => {
    const [name, revision] = key.split('@')
    if (revision === undefined || entry.source !== source) return []
    return [{ key, entry, current: published.get(name!) }]
  })
}

function longestLife(published: ReadonlyMap<string, Entry>): number {
  const lives = [...published.values()].flatMap(({ resource }) =>
    resource.kind === 'NotificationChannel'
      ? [parseDuration(resource.spec.delivery.expiresAfter) + parseDuration(resource.spec.topic.retention)]
      : [],
  )
  return parseDuration(logRetention) + Math.max(0, ...lives)
}
