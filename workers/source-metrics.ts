import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { createEventMetrics } from '../core/events/publisher.ts'
import { durationBuckets } from '../core/observability/metrics.ts'

export type SourceMetrics = ReturnType<typeof createSourceMetrics>

/** Metrics of the consumers of one process, and of the events that they tell. */
export function createSourceMetrics(registry: Registry) {
  const registers = [registry]
  return {
    events: createEventMetrics(registry),
    held: new Gauge({
      name: 'carillon_partition_held',
      help: '1 for a partition that stands still because its next record needs a newer version: upgrade this process.',
      labelNames: ['group', 'topic', 'partition'],
      registers,
    }),
    rebalances: new Counter({
      name: 'carillon_kafka_rebalances_total',
      help: 'Assignments that this process got in a consumer group.',
      labelNames: ['group'],
      registers,
    }),
    rebalanceSeconds: new Histogram({
      name: 'carillon_kafka_rebalance_duration_seconds',
      help: 'From the end of an assignment to the next one: nothing is read meanwhile.',
      labelNames: ['group'],
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    assigned: new Gauge({
      name: 'carillon_kafka_assigned_partitions',
      help: 'Partitions that this process reads.',
      labelNames: ['group'],
      registers,
    }),
    paused: new Gauge({
      name: 'carillon_kafka_paused_partitions',
      help: 'Of these, partitions of which no more is read for now, because too much is unfinished.',
      labelNames: ['group', 'topic'],
      registers,
    }),
    inFlight: new Gauge({
      name: 'carillon_worker_inflight',
      help: 'Records that this process has read and not finished, those that wait included; as of the last half second.',
      labelNames: ['group', 'topic'],
      registers,
    }),
    queueBytes: new Gauge({
      name: 'carillon_worker_queue_bytes',
      help: 'Bytes of these records.',
      labelNames: ['group', 'topic'],
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'carillon_kafka_commit_duration_seconds',
      help: 'Until Kafka took the positions of what is finished.',
      labelNames: ['group'],
      buckets: durationBuckets,
      registers,
    }),
    commitFailures: new Counter({
      name: 'carillon_kafka_commit_failures_total',
      help: 'Commits that failed. They are tried again; meanwhile a crash makes more to read again.',
      labelNames: ['group'],
      registers,
    }),
  }
}

/** Removes the series of a consumer group that will not come back. Those of groups that are made again and again would fill the memory. */
export function forgetGroup(metrics: SourceMetrics, group: string, topics: readonly string[]): void {
  const { rebalances, assigned, commitSeconds, commitFailures, paused, inFlight, queueBytes } = metrics
  for (const metric of [rebalances, assigned, commitSeconds, commitFailures]) metric.remove({ group })
  for (const topic of topics)
    for (const metric of [paused, inFlight, queueBytes]) metric.remove({ group, topic })
}
