import type { Kysely } from 'kysely'
import { Gauge, type Registry } from 'prom-client'
import type { Catalog } from '../core/catalog/catalog.ts'
import type { Logger } from '../core/observability/logger.ts'
import { countAllDeadLetters } from '../core/store/dead-letters.ts'
import type { Database } from '../core/store/schema.ts'

/** Registers how many dead letters there are, read when somebody scrapes. A channel without any has 0; while the database is away
 * all series are absent. */
export function registerDeadLetters({
  registry,
  db,
  catalog,
  logger,
}: {
  registry: Registry
  db: Kysely<Database>
  catalog: Pick<Catalog, 'channels'>
  logger: Logger
}): void {
  const gauge: Gauge = new Gauge({
    name: 'carillon_dead_letters',
    help: 'Deliveries that ended as dead letters and were not replayed since.',
    labelNames: ['namespace', 'channel'],
    registers: [registry],
    async collect() {
      gauge.reset()
      try {
        const counts = await countAllDeadLetters(db)
        for (const { resource } of catalog.channels())
          gauge.set({ namespace: resource.metadata.namespace, channel: resource.metadata.name }, 0)
        for (const { tenant, channel, count } of counts) gauge.set({ namespace: tenant, channel }, count)
      } catch (error) {
        logger.warn({ err: error }, 'Dead letters cannot be counted')
      }
    },
  })
}
