import { z } from 'zod'
import { contentSchema } from '../../core/notification/envelope.ts'
import { recipientSchema } from '../../core/notification/recipient.ts'
import { userProfileSchema } from '../../core/notification/user-profile.ts'
import { label } from '../../core/resources/resource.ts'

/** Body of `POST /v1/notifications`. What the catalog decides (does the template exist, do the data fit) is not said here. */
export const sendRequestSchema = z
  .strictObject({
    to: z
      .array(recipientSchema.meta({ minProperties: 1, maxProperties: 1 }))
      .min(1)
      .max(100)
      .describe('Who gets it: 1 to 100 recipients, each a user or one address.'),
    channels: z
      .array(label().describe('Name of a channel.'))
      .min(1)
      .max(20)
      .meta({ uniqueItems: true })
      .optional()
      .describe(
        'Names of the channels to use. Without it: one channel for each type that the template has content for, or the one that fits the address.',
      ),
    template: z
      .strictObject({
        id: label().describe('Name of the template.'),
        locale: userProfileSchema.shape.locale.describe('Language, such as de. Default: that of the user.'),
      })
      .optional()
      .describe('What it says. Either this or `content`.'),
    content: contentSchema.optional().describe('What it says, in your own words. Either this or `template`.'),
    data: z.record(z.string(), z.unknown()).optional().describe('Values for the variables of the template.'),
    category: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .describe('What kind of message this is to its reader. Default: that of the template.'),
    expires_at: z
      .string()
      .meta({ format: 'date-time' })
      .optional()
      .describe('Not sent after this time (RFC 3339).'),
    metadata: z
      .record(z.string().min(1).max(64), z.string().max(500))
      .meta({ maxProperties: 50 })
      .optional()
      .describe('Yours: kept with the notification, never sent.'),
  })
  .meta({
    examples: [
      {
        to: [{ user_id: 'user123' }],
        channels: ['email', 'push'],
        template: { id: 'welcome', locale: 'en' },
        data: { username: 'John' },
      },
      { to: [{ email: 'ops@example.com' }], content: { subject: 'Disk full', text: 'db-1 has 2 % left.' } },
    ],
  })

export type SendRequest = z.infer<typeof sendRequestSchema>
