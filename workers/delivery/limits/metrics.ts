import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const channel = ['namespace', 'channel'] as const

/** Metrics of what holds deliveries back: circuits, ramps, rate limits. */
export function createLimitMetrics(registry: Registry) {
  const registers = [registry]
  /** Bring the gauges up to date when somebody looks: one for each channel of the process. */
  const observers = new Set<() => void>()
  const collect = () => {
    for (const observe of observers) observe()
  }
  return {
    observers,
    collect,
    capacity: new Gauge({
      name: 'carillon_worker_capacity',
      help: 'Deliveries that a worker may have in flight at present: 0 while every provider is out, 1 while one is probed, less than its slots while it starts again.',
      labelNames: channel,
      registers,
      collect,
    }),
    breakerState: new Gauge({
      name: 'carillon_breaker_state',
      help: 'Circuit breaker of a provider: 0 closed, 1 half-open (one call probes), 2 open (nothing is sent to it).',
      labelNames: [...channel, 'provider'],
      registers,
      collect,
    }),
    destinationsOpen: new Gauge({
      name: 'carillon_destinations_open',
      help: 'Destinations of webhooks that keep failing and are left alone for a while.',
      labelNames: channel,
      registers,
      collect,
    }),
    rateLimitWait: new Histogram({
      name: 'carillon_ratelimit_wait_seconds',
      help: 'How long deliveries waited for a token of the rate limit of their provider.',
      labelNames: [...channel, 'provider'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600],
      registers,
    }),
    rateLimitShared: new Gauge({
      name: 'carillon_ratelimit_shared',
      help: '1 while rate limits are counted in Redis for all workers; 0 while this worker keeps to its own share.',
      registers,
    }),
    throttled: new Counter({
      name: 'carillon_throttled_total',
      help: 'Deliveries held back, by whom: provider (it said "too many"), recipient (its limit), destination (it keeps failing), template (it runs away again and again).',
      labelNames: [...channel, 'by'],
      registers,
    }),
  }
}
