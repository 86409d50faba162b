import { Counter, Gauge, type Registry } from 'prom-client'

export type AutoscalerMetrics = ReturnType<typeof createAutoscalerMetrics>

/** Metrics of the autoscaler: how many workers it wants, and why. */
export function createAutoscalerMetrics(registry: Registry) {
  const channel = ['namespace', 'channel'] as const
  const registers = [registry]
  return {
    desired: new Gauge({
      name: 'carillon_scaler_desired_replicas',
      help: 'Workers that the autoscaler wants for a channel.',
      labelNames: channel,
      registers,
    }),
    capacity: new Gauge({
      name: 'carillon_scaler_capacity_per_replica',
      help: 'Deliveries per second that one worker of a channel can do at its busiest, as measured last.',
      labelNames: channel,
      registers,
    }),
    decisions: new Counter({
      name: 'carillon_scaler_decisions_total',
      help: 'Decisions of the autoscaler, by direction (up, down, none) and reason.',
      labelNames: ['direction', 'reason'],
      registers,
    }),
    sweep: new Gauge({
      name: 'carillon_scaler_sweep_seconds',
      help: 'How long the last look at the lag of all channels took.',
      registers,
    }),
  }
}
