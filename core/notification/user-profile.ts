import { z } from 'zod'
import { recipientSchema } from './recipient.ts'

const address = recipientSchema.shape

/** What is known of a person: where to reach them, and what templates may say of them. */
export const userProfileSchema = z.strictObject({
  name: z.string().min(1).max(200).optional().describe('How templates call the person.'),
  email: address.email,
  phone: address.phone,
  slack_channel: address.slack_channel,
  device_tokens: z
    .array(address.device_token.unwrap())
    .max(20)
    .optional()
    .describe('Push tokens, one for each device of the person.'),
  webhook_url: address.webhook_url,
  locale: z
    .string()
    .max(35)
    .regex(/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/)
    .optional()
    .describe('The language the person reads, such as en or pt-BR.'),
  attributes: z
    .record(z.string().min(1).max(64), z.unknown())
    .meta({ maxProperties: 50 })
    .optional()
    .describe('Anything else that templates may say, as `user.NAME`.'),
})

export type UserProfile = z.infer<typeof userProfileSchema>
