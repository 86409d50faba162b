import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { outdatedRevisions, revisions } from '../../core/catalog/revisions.ts'
import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { CatalogWriter } from '../catalog-writer.ts'

export interface CollectorOptions {
  catalog: Pick<OpenCatalog, 'published'>
  writer: CatalogWriter
  clock: Clock & Timers
  logger: Logger
}

const source = 'kubernetes'
/** Milliseconds between two looks: revisions live for weeks. */
const interval = 3_600_000

/** Takes revisions back that nothing can name any more. Answers a function that stops it. */
export function startCollector({ catalog, writer, clock, logger }: CollectorOptions): () => void {
  const stopping = new AbortController()
  const goneSince = new Map<string, number>()
  let callOff = clock.after(interval, look)

  function look(): void {
    callOff = clock.after(interval, look)
    const now = clock.now()
    const gone = revisions(catalog.published(), source).filter(({ current }) => current === undefined)
    const keys = new Set(gone.map(({ key }) => key))
    for (const key of goneSince.keys()) if (!keys.has(key)) goneSince.delete(key)
    for (const key of keys) if (!goneSince.has(key)) goneSince.set(key, now)
    const outdated = outdatedRevisions(catalog.published(), source, goneSince, now)
    if (outdated.length === 0) return
    writer.remove(outdated, stopping.signal).then(
      () => logger.info({ revisions: outdated.length }, 'Collected revisions of templates'),
      (error: unknown) => logger.warn({ err: error }, 'Revisions not collected; they are at the next look'),
    )
  }

  return () => {
    callOff()
    stopping.abort(new Error('the operator stops'))
  }
}
