import { z } from 'zod'
import { channelTypes } from './channel-type.ts'
import { delivery } from './channel/delivery.ts'
import { providerSchema, providersFit } from './channel/provider-entry.ts'
import { scaling } from './channel/scaling.ts'
import { topic } from './channel/topic.ts'
import { workers } from './channel/workers.ts'
import { statusFields } from './condition.ts'
import { parseDuration } from './duration.ts'
import type { ProviderDeclaration } from './provider.ts'
import { listBy, resourceSchema } from './resource.ts'
import { withChangeRule, withRules } from './rule.ts'

const type = withChangeRule(z.enum(channelTypes), {
  cel: 'self == oldSelf',
  message: 'is immutable',
  allows: (before, after) => before === after,
}).describe('What the channel sends, and so what an address and a message are. Immutable.')

const count = (description: string) => z.int().min(0).optional().describe(description)

const status = z
  .object({
    ...statusFields,
    activeProvider: z
      .string()
      .max(63)
      .optional()
      .describe('Name of the provider that takes messages at present.'),
    topics: z
      .array(z.string().max(249))
      .max(20)
      .optional()
      .describe('The topics of the channel: main, retry tiers, dead letters.'),
    consumerGroup: z.string().max(249).optional().describe('Kafka consumer group of the workers.'),
    workers: z
      .object({
        desired: count('Replicas that the Deployment of the workers asks for.'),
        ready: count('Replicas that are ready.'),
      })
      .optional()
      .describe('How many workers there are to be, and are.'),
    lag: count(
      "Records on the channel's main topic that are not yet finished; absent while that cannot be read.",
    ),
    deadLetters: count('Records on the dead letter topic.'),
    revision: z
      .string()
      .max(63)
      .optional()
      .describe('Revision of the spec that is published to the workers.'),
  })
  .describe('What the operator observed. Written by the operator alone.')

function specSchema(providers: readonly ProviderDeclaration[]) {
  const spec = z.strictObject({
    type,
    suspend: z
      .boolean()
      .default(false)
      .describe(
        'Stops the workers. Sends are accepted all the while, and Kafka keeps them for as long as topic.retention says.',
      ),
    providers: listBy(providerSchema(providers), 'name', 5)
      .min(1)
      .describe(
        'The services that carry the messages, in failover order: the first healthy one takes a message.',
      ),
    delivery,
    topic,
    workers,
    scaling,
  })
  return withRules(spec, [
    ...providersFit(providers),
    {
      cel: 'duration(self.delivery.expiresAfter) <= duration(self.topic.retention)',
      message:
        'delivery.expiresAfter must not exceed topic.retention: Kafka would drop what is still to be delivered',
      holds: (value) => parseDuration(value.delivery.expiresAfter) <= parseDuration(value.topic.retention),
    },
  ]).describe('How messages of one type are sent.')
}

/** The schema of NotificationChannel, for the given providers: their names, their blocks and the rules that join them. */
export function channelSchema(providers: readonly ProviderDeclaration[]) {
  return resourceSchema('NotificationChannel', specSchema(providers), status).describe(
    'A way to send notifications of one type: its providers, its delivery rules, its Kafka topics and its workers.',
  )
}

export type NotificationChannel = z.output<ReturnType<typeof channelSchema>>
export type NotificationChannelStatus = z.output<typeof status>
