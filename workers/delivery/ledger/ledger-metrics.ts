import { Histogram, type Registry } from 'prom-client'

export type LedgerMetrics = ReturnType<typeof createLedgerMetrics>

/** Metrics of the ledger of one process; `operation` is claim or finish. */
export function createLedgerMetrics(registry: Registry) {
  const registers = [registry]
  return {
    batchRows: new Histogram({
      name: 'carillon_ledger_batch_rows',
      help: 'Claims or outcomes that shared a statement.',
      labelNames: ['operation'],
      buckets: [1, 2, 5, 10, 20, 50, 100, 200],
      registers,
    }),
    flushSeconds: new Histogram({
      name: 'carillon_ledger_flush_seconds',
      help: 'Duration of these statements; their rate times the rows is the claims and outcomes per second.',
      labelNames: ['operation'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
  }
}
