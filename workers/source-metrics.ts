import { Gauge, type Registry } from 'prom-client'
import { createEventMetrics } from '../core/events/publisher.ts'

export type SourceMetrics = ReturnType<typeof createSourceMetrics>

/** Metrics of the consumers of one process, and of the events that they tell. */
export function createSourceMetrics(registry: Registry) {
  return {
    events: createEventMetrics(registry),
    held: new Gauge({
      name: 'carillon_partition_held',
      help: '1 for a partition that stands still because its next record needs a newer version: upgrade this process.',
      labelNames: ['group', 'topic', 'partition'],
      registers: [registry],
    }),
  }
}
