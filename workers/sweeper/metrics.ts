import { Counter, Gauge, type Registry } from 'prom-client'

export type SweeperMetrics = ReturnType<typeof createSweeperMetrics>

/** Metrics of the sweeper of one process. */
export function createSweeperMetrics(registry: Registry) {
  const registers = [registry]
  return {
    swept: new Counter({
      name: 'carillon_deliveries_swept_total',
      help: 'Deliveries that no worker ended and the sweeper did, by the status and the reason they got.',
      labelNames: ['status', 'reason'],
      registers,
    }),
    forgotten: new Counter({
      name: 'carillon_notifications_forgotten_total',
      help: 'Notifications deleted because they are older than the history is kept.',
      registers,
    }),
    heldSince: new Gauge({
      name: 'carillon_topic_refusing_since_seconds',
      help: 'Since when (Unix time) the oldest delivery waits for a topic that does not take it: the topic is missing, not ours to write, or without a leader.',
      labelNames: ['topic'],
      registers,
    }),
    failures: new Counter({
      name: 'carillon_sweep_failures_total',
      help: 'Rounds of the sweeper that failed; the next one goes on where they ended.',
      registers,
    }),
  }
}
