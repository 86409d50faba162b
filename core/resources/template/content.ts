import { z } from 'zod'
import type { ChannelType } from '../channel-type.ts'
import { anyObject, map } from '../resource.ts'
import { withRules } from '../rule.ts'

const longText = () => z.string().max(65_536)
const shortText = () => z.string().max(998)

// Every property is Liquid text. The limits bound what is stored; what is rendered has limits of its own.
const email = {
  subject: shortText().min(1).describe('Subject line.'),
  html: z.string().max(262_144).describe('HTML body. Values are escaped for HTML.'),
  text: longText().describe('Plain text body.'),
}
const sms = { text: z.string().min(1).max(4096).describe('Text of the message.') }
const push = {
  title: shortText().min(1).describe('Title of the notification.'),
  body: z.string().max(4096).describe('Text of the notification.'),
  data: map(z.string().max(4096), 50).describe('Data for the app, as strings.'),
}
const slack = {
  text: longText()
    .min(1)
    .describe('Text of the message, and what stands in the alert when there are blocks.'),
  blocks: z.array(anyObject().describe('One Block Kit block.')).max(50).describe('Block Kit blocks.'),
}
const inapp = {
  title: shortText().min(1).describe('Title in the inbox.'),
  body: longText().describe('Text in the inbox.'),
  actionUrl: z.string().max(2048).describe('Where a click leads.'),
}
const webhook = { body: anyObject().describe('JSON body of the request. Strings in it are Liquid text.') }

const emailContent = withRules(z.strictObject(email).partial({ html: true, text: true }), [
  {
    cel: 'has(self.html) || has(self.text)',
    message: 'needs html or text',
    holds: (value) => value.html !== undefined || value.text !== undefined,
  },
])

const contentByType = {
  email: emailContent.optional().describe('What a mail says.'),
  sms: z.strictObject(sms).optional().describe('What an SMS says.'),
  push: z.strictObject(push).partial({ data: true }).optional().describe('What a push notification says.'),
  slack: z.strictObject(slack).partial({ blocks: true }).optional().describe('What a Slack message says.'),
  inapp: z
    .strictObject(inapp)
    .partial({ actionUrl: true })
    .optional()
    .describe('What an entry of the inbox says.'),
  webhook: z.strictObject(webhook).optional().describe('What a webhook request says.'),
} satisfies Record<ChannelType, z.ZodType>

const partialByType = {
  email: z.strictObject(email).partial().optional().describe('Parts of the mail.'),
  sms: z.strictObject(sms).partial().optional().describe('Parts of the SMS.'),
  push: z.strictObject(push).partial().optional().describe('Parts of the push notification.'),
  slack: z.strictObject(slack).partial().optional().describe('Parts of the Slack message.'),
  inapp: z.strictObject(inapp).partial().optional().describe('Parts of the entry of the inbox.'),
  webhook: z.strictObject(webhook).partial().optional().describe('Parts of the webhook request.'),
} satisfies Record<ChannelType, z.ZodType>

/** `spec.content`: whole bodies, by channel type. */
export const content = withRules(z.strictObject(contentByType), [
  {
    cel: 'has(self.email) || has(self.sms) || has(self.push) || has(self.slack) || has(self.inapp) || has(self.webhook)',
    message: 'needs the content of at least one channel type',
    holds: (value) => Object.values(value).some((body) => body !== undefined),
  },
]).describe('What the notification says, by channel type, in defaultLocale.')

/** Parts of a content: what a locale puts in place of the default, or what a sample expects. */
export const partialContent = () => z.strictObject(partialByType)

export type PartialTemplateContent = z.output<ReturnType<typeof partialContent>>
