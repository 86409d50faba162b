import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'

/** Seconds, as controller-runtime has them (pkg/internal/controller/metrics). */
const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5,
  1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
]
/** Seconds: powers of ten from 10 ns on, as client-go's workqueue has them. */
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000]

export type ReconcileResult = 'success' | 'error' | 'requeue_after'

export interface ControllerMetrics {
  queue: WorkqueueMetrics
  active: (change: 1 | -1) => void
  reconciled: (result: ReconcileResult, seconds: number) => void
}

export interface WorkqueueMetrics {
  added: (key: string) => void
  taken: (key: string) => void
  done: (key: string) => void
  retried: () => void
}

/**
 * Metrics of controllers and their queues under the names of controller-runtime and client-go, so that dashboards made for those show ours
 * too. Returns the metrics of one controller by its name.
 */
export function createControllerMetrics(registry: Registry, clock: Clock) {
  const registers = [registry]
  const controller = ['controller'] as const
  const name = ['name'] as const
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations per controller and result.',
    labelNames: [...controller, 'result'],
    registers,
  })
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciliations that failed, per controller.',
    labelNames: controller,
    registers,
  })
  const time = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of a reconciliation, per controller.',
    labelNames: controller,
    buckets: reconcileBuckets,
    registers,
  })
  const most = new Gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Most reconciliations at a time, per controller.',
    labelNames: controller,
    registers,
  })
  const active = new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Reconciliations under way, per controller.',
    labelNames: controller,
    registers,
  })
  const depth = new Gauge({
    name: 'workqueue_depth',
    help: 'Keys that wait to be worked on.',
    labelNames: name,
    registers,
  })
  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys that were added to the queue.',
    labelNames: name,
    registers,
  })
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long keys waited in the queue.',
    labelNames: name,
    buckets: queueBuckets,
    registers,
  })
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long working on a key took.',
    labelNames: name,
    buckets: queueBuckets,
    registers,
  })
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys that were added again after a failure.',
    labelNames: name,
    registers,
  })

  return (controllerName: string, workers: number): ControllerMetrics => {
    const labels = { controller: controllerName }
    const queue = { name: controllerName }
    const addedAt = new Map<string, number>()
    const takenAt = new Map<string, number>()
    most.set(labels, workers)
    return {
      active: (change) => active.inc(labels, change),
      reconciled(result, seconds) {
        reconciles.inc({ ...labels, result })
        time.observe(labels, seconds)
        if (result === 'error') errors.inc(labels)
      },
      queue: {
        added(key) {
          adds.inc(queue)
          depth.inc(queue)
          addedAt.set(key, clock.monotonic())
        },
        taken(key) {
          depth.dec(queue)
          waits.observe(queue, (clock.monotonic() - (addedAt.get(key) ?? clock.monotonic())) / 1000)
          addedAt.delete(key)
          takenAt.set(key, clock.monotonic())
        },
        done(key) {
          works.observe(queue, (clock.monotonic() - (takenAt.get(key) ?? clock.monotonic())) / 1000)
          takenAt.delete(key)
        },
        retried: () => retries.inc(queue),
      },
    }
  }
}
