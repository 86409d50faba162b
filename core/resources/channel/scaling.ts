import { z } from 'zod'
import { duration } from '../duration.ts'
import { withRules } from '../rule.ts'

const spec = z.strictObject({
  mode: z
    .enum(['Native', 'KEDA', 'None'])
    .default('Native')
    .describe(
      'Who sets the number of workers: the operator (Native), KEDA by a ScaledObject that the operator makes, or whoever you choose (None).',
    ),
  minReplicas: z
    .int()
    .min(0)
    .max(1000)
    .default(1)
    .describe('The fewest workers. 0 lets an idle channel sleep.'),
  maxReplicas: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('The most workers. More than partitions are never started.'),
  lagThreshold: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(500)
    .describe('Unfinished records per worker, while the capacity of a worker has not been measured.'),
  targetDrain: duration('1s', '24h').default('60s').describe('In what time the lag should be worked off.'),
  idleAfter: duration('1s', '24h')
    .default('5m')
    .describe('How long nothing must have been due before the last worker goes, where minReplicas is 0.'),
  fallback: z
    .strictObject({
      replicas: z
        .int()
        .min(1)
        .max(1000)
        .default(2)
        .describe('Workers to run meanwhile, within minReplicas and maxReplicas.'),
      after: duration('10s', '24h').default('3m').describe('How long the lag must have been unreadable.'),
    })
    .prefault({})
    .describe('What to do when the lag cannot be read.'),
})

/** `spec.scaling`: how many workers run. */
export const scaling = withRules(spec, [
  {
    cel: 'self.minReplicas <= self.maxReplicas',
    message: 'must not exceed maxReplicas',
    holds: (value) => value.minReplicas <= value.maxReplicas,
    field: 'minReplicas',
  },
])
  .prefault({})
  .describe('How many workers run, and who decides it.')
