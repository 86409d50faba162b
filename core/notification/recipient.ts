import { z } from 'zod'
import type { ChannelType } from '../resources/channel-type.ts'

/** The plain form of RFC 5321 mailboxes, with the lengths of its section 4.5.3.1: no quoted local parts, no address literals. Mail servers take no other. */
export const mailboxPattern = /^[^\s\p{Cc}@<>",;:\\()[\]]{1,64}@[^\s\p{Cc}@<>",;:\\()[\]]{1,255}$/u

/** Exactly one of the properties: a person whose addresses we know, or an address as it is. */
export const recipientSchema = z.strictObject({
  user_id: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('A user of yours; the addresses come from PUT /v1/users/{id}.'),
  email: z.string().max(320).regex(mailboxPattern).optional().describe('An e-mail address.'),
  phone: z
    .string()
    .max(16)
    .regex(/^\+[1-9]\d{1,14}$/)
    .optional()
    .describe('A phone number in E.164 form: +15550100.'),
  slack_channel: z
    .string()
    .min(1)
    .max(80)
    .regex(/^[#@]?[\p{L}\p{N}._-]+$/u)
    .optional()
    .describe('A Slack channel or member: #ops, C0123456789.'),
  device_token: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^[\x21-\x7e]+$/)
    .optional()
    .describe('The push token of one device.'),
  webhook_url: z
    .string()
    .max(2048)
    .regex(/^https?:\/\/(?![^/?#]*@)[\x21-\x7e]+$/)
    .optional()
    .describe(
      'The URL that receives a signed POST. Without a user name or password: the signature says who sends.',
    ),
})

export type Recipient = z.infer<typeof recipientSchema>

/** What a recipient property reaches. `user_id` reaches whatever the user has an address for. */
const channelTypeOfProperty = {
  email: 'email',
  phone: 'sms',
  slack_channel: 'slack',
  device_token: 'push',
  webhook_url: 'webhook',
} as const satisfies Record<Exclude<keyof Recipient, 'user_id'>, ChannelType>

/** The channel type that an address fits, or `undefined` for a user, who may have an address for any. */
export function channelTypeOf(recipient: Recipient): ChannelType | undefined {
  const property = propertyOf(recipient)
  return property === 'user_id' ? undefined : channelTypeOfProperty[property]
}

/** The one property that is set. The schema of the request guarantees that there is exactly one. */
export function propertyOf(recipient: Recipient): keyof Recipient {
  return Object.keys(recipient)[0] as keyof Recipient
}

/**
 * The form that ids and record keys are derived from: equal for addresses that certainly reach the same mailbox, so only the domain
 * of an e-mail address is folded (RFC 5321 2.4: the local part is case-sensitive).
 */
export function canonicalRecipient(recipient: Recipient): string {
  const property = propertyOf(recipient)
  const value = recipient[property] ?? ''
  if (property === 'user_id') return `user:${value}`
  if (property !== 'email') return `${property}:${value}`
  const at = value.lastIndexOf('@')
  return `email:${value.slice(0, at)}@${value.slice(at + 1).toLowerCase()}`
}
