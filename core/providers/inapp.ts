import { z } from 'zod'
import type { InAppMessage } from '../notification/message.ts'
import { defineProvider, type NotSent, type SendContext, type Sent } from './provider.ts'

/** Schemes that a browser would run as script when somebody follows the link. */
const scriptSchemes: ReadonlySet<string> = new Set(['javascript:', 'data:', 'vbscript:', 'blob:'])

/** The inbox in our own database. Row and outcome are committed together, so a message is there exactly once. */
export const inapp = defineProvider({
  type: 'inapp',
  description: 'Puts the message into the inbox of the user, which applications read over the API.',
  channelTypes: ['inapp'],
  settings: z.strictObject({}),
  secrets: [],
  idempotency: 'transaction',

  open({ clock }) {
    return {
      async send(message, context, signal) {
        if (message.type !== 'inapp') throw new TypeError(`inapp cannot send ${message.type}`)
        if (signal.aborted)
          return { class: 'not_sent', code: 'aborted', detail: 'the time for this send is over' }
        return findFault(message) ?? toInbox(message, context, new Date(clock.now()))
      },
      async close() {},
    }
  },
})

function findFault({ to, title, body, actionUrl = '' }: InAppMessage): NotSent | undefined {
  // PostgreSQL's text cannot hold NUL: found here it is this message's fault, found at the commit it would be everyone's.
  if ([to, title, body, actionUrl].some((text) => text.includes('\0'))) {
    return { class: 'poison', code: 'nul_character', detail: 'the message holds a NUL character' }
  }
  const base = 'https://relative.invalid'
  if (URL.canParse(actionUrl, base) && scriptSchemes.has(new URL(actionUrl, base).protocol)) {
    return { class: 'rejected', code: 'unsafe_action_url', detail: 'actionUrl has a scheme that runs script' }
  }
  return undefined
}

function toInbox(message: InAppMessage, context: SendContext, createdAt: Date): Sent {
  return {
    class: 'sent',
    commitWith: async (transaction) => {
      await transaction
        .insertInto('inbox')
        .values({
          tenant: context.tenant,
          user_id: message.to,
          delivery_id: context.deliveryUuid,
          title: message.title,
          body: message.body,
          action_url: message.actionUrl ?? null,
          created_at: createdAt,
        })
        .onConflict((conflict) => conflict.column('delivery_id').doNothing())
        .execute()
    },
  }
}
