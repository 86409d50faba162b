import { z } from 'zod'
import { anyObject, map } from '../resource.ts'

const quantity = () =>
  z
    .union([z.string().max(32), z.int()])
    .meta({ 'x-kubernetes-int-or-string': true })
    .describe('A quantity such as 500m or 1Gi.')

const toleration = z.strictObject({
  key: z.string().max(317).optional().describe('Taint key. Empty matches every key when operator is Exists.'),
  operator: z.enum(['Exists', 'Equal']).optional().describe('How key and value are compared.'),
  value: z.string().max(63).optional().describe('Taint value.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .optional()
    .describe('Effect to tolerate. Every effect when absent.'),
  tolerationSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('How long a NoExecute taint is tolerated. For ever when absent.'),
})

/**
 * `spec.workers`: all that a tenant may set on the worker pods. Neither image, nor volumes, nor service account: the pods
 * hold the platform's credentials.
 */
export const workers = z
  .strictObject({
    resources: z
      .strictObject({
        limits: map(quantity(), 10).optional().describe('The most that a worker may use.'),
        requests: map(quantity(), 10).optional().describe('What is set aside for a worker.'),
      })
      .prefault({})
      .describe(
        'CPU and memory of a worker. Without any, 100m of CPU and 256Mi of memory are requested, and nothing is limited.',
      ),
    nodeSelector: map(z.string().max(63), 50).default({}).describe('Labels that a node must have.'),
    tolerations: z
      .array(toleration.describe('One toleration.'))
      .max(50)
      .default([])
      .describe('Taints of nodes that workers may run on.'),
    affinity: anyObject().default({}).describe('Node and pod affinity, as in a pod.'),
    priorityClassName: z.string().max(253).default('').describe('Priority class of the pods.'),
    labels: map(z.string().max(63), 50).default({}).describe('Labels added to the pods.'),
    annotations: map(z.string().max(10_000), 50).default({}).describe('Annotations added to the pods.'),
  })
  .prefault({})
  .describe('The pods that deliver the messages.')
