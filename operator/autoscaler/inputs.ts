/** What a channel says of its scaling, times in milliseconds. */
export interface ScalingPolicy {
  minReplicas: number
  maxReplicas: number
  lagThreshold: number
  targetDrain: number
  idleAfter: number
  fallback: { replicas: number; after: number }
}

export interface LagReading {
  /** Records not finished that are due now or will be before a pod has started, over the main topic and the retry topics. */
  due: number
  /** Partitions of the main topic that have any. */
  partitionsWithLag: number
  /** Records that arrive per second. */
  inflow: number
}

export interface ScalingInputs {
  policy: ScalingPolicy
  suspended: boolean
  /** Of the main topic: a worker beyond them would have nothing to do. */
  partitions: number
  /** Replicas that the Deployment asks for at present. */
  current: number
  /** Undefined while it cannot be read: that is never 0. */
  lag: LagReading | undefined
  /** Deliveries per second that one worker can do at its busiest; undefined while none has been measured. */
  capacity: number | undefined
  /** Whether the workers hold back because no provider takes messages: more of them would not help. */
  paused: boolean
  /** Messages per second that the provider may be given over all workers; undefined when unlimited. */
  providerRate: number | undefined
}
