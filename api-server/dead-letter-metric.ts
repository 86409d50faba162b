import type { Kysely } from 'kysely'
import { Gauge, type Registry } from 'prom-client'
import type { Logger } from '../core/observability/logger.ts'
import { countAllDeadLetters } from '../core/store/dead-letters.ts'
import type { Database } from '../core/store/schema.ts'

/** Registers how many dead letters there are, read when somebody scrapes. While the database is away the series are absent, and never 0. */
export function registerDeadLetters({
  registry,
  db,
  logger,
}: {
  registry: Registry
  db: Kysely<Database>
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
        for (const { tenant, channel, count } of await countAllDeadLetters(db))
          gauge.set({ namespace: tenant, channel }, count)
      } catch (error) {
        logger.warn({ err: error }, 'Dead letters cannot be counted')
      }
    },
  })
}
