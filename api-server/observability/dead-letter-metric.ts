import type { Kysely } from 'kysely'
import { Gauge, type Registry } from 'prom-client'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { countAllDeadLetters } from '../../core/store/dead-letters.ts'
import type { Database } from '../../core/store/schema.ts'

/**
 * Of the time, what counting may take: a million dead letters take 0.7 s to count (measured, on two busy processors), and scrapes come every few seconds. Between
 * two counts the last one is told again.
 */
const countingShare = 1 / 20
/** Milliseconds after a count that failed, however long the database took to say nothing: until the next one there are no series. */
const longestBlind = 30_000
/** Milliseconds that a scrape waits for a count: Prometheus gives up a scrape after ten seconds, with all its series. */
const longestWait = 1_000

/** Registers how many dead letters there are, read when somebody scrapes. A channel without any has 0; while the database is away
 * all series are absent, and while it is slow they tell what was counted last. */
export function registerDeadLetters({
  registry,
  db,
  catalog,
  clock,
  logger,
}: {
  registry: Registry
  db: Kysely<Database>
  catalog: Pick<Catalog, 'channels'>
  clock: Pick<Clock, 'monotonic'> & Timers
  logger: Logger
}): void {
  let lastsUntil = -Infinity
  let counting: Promise<void> | undefined

  async function count(): Promise<void> {
    const begun = clock.monotonic()
    const counts = await countAllDeadLetters(db).catch((error: unknown) => {
      logger.warn({ err: error }, 'Dead letters cannot be counted')
      return undefined
    })
    const ended = clock.monotonic()
    const pause = (ended - begun) / countingShare
    lastsUntil = ended + (counts === undefined ? Math.min(pause, longestBlind) : pause)
    gauge.reset()
    if (counts === undefined) return
    for (const { resource } of catalog.channels())
      gauge.set({ namespace: resource.metadata.namespace, channel: resource.metadata.name }, 0)
    for (const { tenant, channel, count } of counts) gauge.set({ namespace: tenant, channel }, count)
  }

  const gauge: Gauge = new Gauge({
    name: 'carillon_dead_letters',
    help: 'Deliveries that ended as dead letters and were not replayed since. Counted anew when that is cheap: a million, at most every quarter of a minute.',
    labelNames: ['namespace', 'channel'],
    registers: [registry],
    async collect() {
      if (counting === undefined && clock.monotonic() >= lastsUntil)
        counting = count().finally(() => (counting = undefined))
      if (counting === undefined) return
      const counted = new AbortController()
      await Promise.race([counting, sleep(clock, longestWait, counted.signal)])
      counted.abort()
    },
  })
}
