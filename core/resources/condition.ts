import { z } from 'zod'
import { listBy } from './resource.ts'

/** Conditions of a NotificationChannel. `Ready` is the summary of the others. */
export const channelConditions = {
  Ready: 'Messages are accepted and delivered: every condition that this channel needs is met.',
  Accepted: 'The spec is valid beyond what the schema checks, and its topic collides with no other.',
  CredentialsReady: 'Every referenced Secret exists and holds the keys that its provider needs.',
  TopicsReady:
    'The topics of the channel exist with the wanted partitions and settings, and are its own: made for it or adopted.',
  Durable:
    'Replication and min.insync.replicas of the topics keep an accepted message through the loss of a broker.',
  WorkersReady: 'Workers are ready, one at the least, or none is needed at present.',
  ScalingActive: 'The autoscaler sees the lag and may act on it, or is asked not to (mode None).',
  ProviderHealthy:
    'The first provider takes messages: its circuit is closed. Where another one does instead, activeProvider names it.',
} as const

/** Conditions of a NotificationTemplate. `Ready` is the summary of the others. */
export const templateConditions = {
  Ready: 'The newest revision is published and serves.',
  Valid: 'The template parses, its variables are a valid contract and every sample renders as expected.',
} as const

export type ChannelConditionType = keyof typeof channelConditions
export type TemplateConditionType = keyof typeof templateConditions

/** Follows metav1.Condition, with the bounds that Kubernetes sets there. */
const condition = z.object({
  type: z.string().max(316).describe('Type of the condition, such as Ready.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Generation of the spec that the condition was decided from.'),
  lastTransitionTime: z
    .string()
    .max(64)
    .describe('When the status last changed.')
    .meta({ format: 'date-time' }),
  reason: z.string().min(1).max(1024).describe('One CamelCase word: why the condition has this status.'),
  message: z.string().max(32_768).describe('What a person should know, without secrets or addresses.'),
})

export type Condition = z.output<typeof condition>

/** The fields that the status of every kind shares. */
export const statusFields = {
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe('Newest generation of the spec that was acted upon.'),
  conditions: listBy(condition, 'type', 20).optional().describe('What holds at present, one entry per type.'),
}
