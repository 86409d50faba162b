import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { createLedgerMetrics } from './ledger/ledger-metrics.ts'
import { createLimitMetrics } from './limits/metrics.ts'

export type DeliveryMetrics = ReturnType<typeof createDeliveryMetrics>

const channel = ['namespace', 'channel'] as const

/** Metrics of the delivery workers of one process. Labels are bounded: never a recipient, an id or an address. */
export function createDeliveryMetrics(registry: Registry) {
  const registers = [registry]
  const limits = createLimitMetrics(registry)
  return {
    limits,
    ledger: createLedgerMetrics(registry),
    deliveries: new Counter({
      name: 'carillon_deliveries_total',
      help: 'Attempts at deliveries, by provider and what became of them: a status, or retry, dead_letter.',
      labelNames: [...channel, 'provider', 'outcome'],
      registers,
    }),
    duplicatesSuppressed: new Counter({
      name: 'carillon_duplicates_suppressed_total',
      help: 'Records that the ledger had seen before and that were not sent again.',
      labelNames: channel,
      registers,
    }),
    attempts: new Histogram({
      name: 'carillon_delivery_attempts',
      help: 'Attempts that deliveries took until they ended or became a dead letter.',
      labelNames: channel,
      buckets: [1, 2, 3, 5, 8, 13, 21],
      registers,
    }),
    latency: new Histogram({
      name: 'carillon_delivery_latency_seconds',
      help: 'From acceptance by the API to acceptance by the provider.',
      labelNames: channel,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
      registers,
    }),
    providerDuration: new Histogram({
      name: 'carillon_provider_request_duration_seconds',
      help: 'Duration of calls to providers, by provider and failure class (sent where there was none).',
      labelNames: [...channel, 'provider', 'outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    slots: new Gauge({
      name: 'carillon_worker_slots',
      help: 'Deliveries that a worker may have in flight.',
      labelNames: channel,
      registers,
    }),
    slotsBusy: new Gauge({
      name: 'carillon_worker_slots_busy',
      help: 'Deliveries that a worker has in flight.',
      labelNames: channel,
      registers,
      collect: limits.collect,
    }),
  }
}
