import type { LagReading, ScalingInputs } from './inputs.ts'

/** The share of its capacity at which a worker is planned to run: the rest is for what was not foreseen. */
const utilization = 0.75

/**
 * Workers that would keep up with what arrives and work off what is due within `targetDrain`; from `lagThreshold` while nobody knows what a worker can
 * do. A worker has whole partitions, so the busiest decides: of 12 partitions 11 workers are as slow as 6. Not bounded yet. Pure.
 */
export function wantedReplicas(
  { policy, partitions }: Pick<ScalingInputs, 'policy' | 'partitions'>,
  lag: LagReading,
  capacity: number | undefined,
): number {
  const workload =
    capacity === undefined || capacity <= 0
      ? lag.due / policy.lagThreshold
      : (lag.inflow + lag.due / (policy.targetDrain / 1000)) / (capacity * utilization)
  if (workload <= 0) return 0
  const partitionsPerWorker = Math.max(1, Math.floor(partitions / workload))
  return Math.ceil(partitions / partitionsPerWorker)
}

/** The most workers that can be of use: of the partitions each has one, and a provider that is rate limited takes no more from many. Pure. */
export function capOf(
  { policy, partitions, providerRate }: Pick<ScalingInputs, 'policy' | 'partitions' | 'providerRate'>,
  capacity: number | undefined,
): number {
  const byRate =
    providerRate === undefined || capacity === undefined || capacity <= 0
      ? Infinity
      : Math.max(1, Math.ceil(providerRate / capacity))
  return Math.min(policy.maxReplicas, partitions, byRate)
}

/**
 * The fewest workers with which the busiest has no more partitions than with so many: of 12 partitions 5 workers are as slow as 4. Pure.
 */
export function usefulReplicas(replicas: number, partitions: number): number {
  if (replicas <= 0) return 0
  return Math.ceil(partitions / Math.ceil(partitions / replicas))
}
