import { z } from 'zod'
import { failureClasses } from '../../core/notification/failure.ts'
import { deliveryStatuses, reasons } from '../../core/notification/status.ts'
import { userProfileSchema } from '../../core/notification/user-profile.ts'
import { channelTypes } from '../../core/resources/channel-type.ts'

/** What the API answers: the types of the code and the schemas of the documentation. A property without a value is absent. */

const time = () => z.string().meta({ format: 'date-time' })

const notificationId = z.string().describe('`ntf_` and 34 letters and digits.')

const acceptedFields = {
  id: notificationId,
  status: z
    .enum(['accepted', 'processing', 'completed', 'completed_with_failures', 'failed', 'cancelled'])
    .describe('Computed from the deliveries. `accepted` until they are planned.'),
  channels: z.array(z.string()).describe('Names of the channels in use, in alphabetical order.'),
  template: z
    .object({ id: z.string(), revision: z.string() })
    .optional()
    .describe('The template, at the revision that was current at acceptance.'),
  created_at: time(),
}

export const acceptedNotification = z.object(acceptedFields)
export type AcceptedNotification = z.infer<typeof acceptedNotification>

const attempt = z.object({
  attempt: z.int().describe('Counts from 1.'),
  claim: z.int().describe('Above 1: the claim before it ended without a known outcome.'),
  replay: z.int().describe('How many times the delivery had been replayed. 0: never.'),
  outcome: z
    .enum(['sent', 'interrupted', ...failureClasses])
    .optional()
    .describe('Absent while it is under way.'),
  provider: z.string().optional(),
  code: z.string().optional().describe("The provider's own code: an HTTP status, an SMTP reply code."),
  detail: z.string().optional(),
  started_at: time(),
  finished_at: time().optional(),
})

const event = z.object({
  at: time(),
  event: z.string().describe('A status of the delivery, or the outcome of an attempt.'),
  attempt: z.int().optional(),
  provider: z.string().optional(),
  reason: z.enum(reasons).optional(),
  detail: z.string().optional(),
})

const delivery = z.object({
  id: z.string().describe('`dlv_` and 26 letters and digits.'),
  channel: z.string(),
  type: z.enum(channelTypes),
  recipient: z.record(z.string(), z.string()).describe('The user, or the address with its middle left out.'),
  status: z.enum(deliveryStatuses),
  reason: z.enum(reasons).optional(),
  provider: z.string().optional(),
  provider_message_id: z.string().optional(),
  due_at: time().optional().describe('When the next attempt is due.'),
  expires_at: time().optional(),
  created_at: time(),
  updated_at: time(),
  attempts: z.array(attempt),
  timeline: z.array(event).describe('What happened, oldest first.'),
})

export type DeliveryResource = z.infer<typeof delivery>

export const notificationResource = z.object({
  ...acceptedFields,
  channels: acceptedFields.channels.optional(),
  created_at: acceptedFields.created_at.optional(),
  category: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  expires_at: time().optional(),
  conflicts: z
    .int()
    .optional()
    .describe('Requests with the same Idempotency-Key and another body, which were not sent.'),
  deliveries: z.array(delivery).describe('One for each recipient and channel. Empty until they are planned.'),
})
export type NotificationResource = z.infer<typeof notificationResource>

export const userResource = z.object({
  id: z.string(),
  ...userProfileSchema.shape,
  created_at: time(),
  updated_at: time(),
})
export type UserResource = z.infer<typeof userResource>

export const inboxPage = z.object({
  data: z.array(
    z.object({
      id: z.string().describe('Id of the delivery that put it here.'),
      title: z.string(),
      body: z.string(),
      action_url: z.string().optional(),
      created_at: time(),
      read_at: time().optional(),
    }),
  ),
  next_cursor: z.string().optional().describe('Where the next page begins; absent on the last one.'),
})
export type InboxPageResource = z.infer<typeof inboxPage>

export const problemDetails = z
  .object({
    type: z.string().meta({ format: 'uri' }).describe('Names the kind of problem.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong this time.'),
    instance: z.string().optional().describe('Path of the request; absent where it could not be read.'),
    code: z.string().describe('The kind of problem, for programs.'),
    request_id: z
      .string()
      .optional()
      .describe('Finds the request in the log; absent where there was none that could be read.'),
    errors: z
      .array(
        z.object({
          pointer: z.string().optional().describe('JSON Pointer into the body.'),
          parameter: z.string().optional(),
          header: z.string().optional(),
          code: z.string(),
          detail: z.string(),
        }),
      )
      .optional()
      .describe('Each of the wrong fields.'),
  })
  .describe('Problem details (RFC 9457).')
