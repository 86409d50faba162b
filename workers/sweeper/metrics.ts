import { Counter, Gauge, type Registry } from 'prom-client'

/** What a round does, one after the other. To `begin`, the store has to be there. */
const steps = ['begin', 'overdue', 'release', 'stranded', 'forget', 'tell'] as const
export type SweepStep = (typeof steps)[number]

export type SweeperMetrics = ReturnType<typeof createSweeperMetrics>

/** Metrics of the sweeper of one process. */
export function createSweeperMetrics(registry: Registry) {
  const registers = [registry]
  const failures = new Counter({
    name: 'carillon_sweep_failures_total',
    help: 'Steps of the rounds of the sweeper that failed; the next round goes on where they ended.',
    labelNames: ['step'],
    registers,
  })
  for (const step of steps) failures.inc({ step }, 0)
  return {
    failures,
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
  }
}
