import { z } from 'zod'
import type { Setting } from './setting.ts'
import { commaList, jsonObject, milliseconds } from './values.ts'

/** What `carillon send` is to send, in the words of the API: flags alone, since another command is another message. */

const text = (flag: string, description: string): Setting<string | undefined> => ({
  flag,
  description,
  schema: z.string().min(1, 'must not be empty').optional(),
})

export const sendFlags = {
  to: {
    flag: 'to',
    description: 'who gets it, separated by commas: user_id=user123,email=ops@example.com,phone=+15550100',
    schema: z.string({ error: 'must be set: KIND=ADDRESS, such as email=ops@example.com' }).pipe(commaList),
  },
  channels: {
    flag: 'channel',
    description: 'names of channels, separated by commas (those that the template or the address asks for)',
    schema: commaList.optional(),
  },
  template: text('template', 'name of the template'),
  locale: text('locale', 'language of the template (that of the user)'),
  data: {
    flag: 'data',
    description: 'data for the template, an object in JSON: {"username":"Ada"}',
    schema: jsonObject.optional(),
  },
  subject: text('subject', 'subject of a message without a template'),
  text: text('text', 'text of a message without a template'),
  category: text('category', 'what kind of message it is (that of the template)'),
  idempotencyKey: text('idempotency-key', 'makes a repeat of the command harmless'),
  wait: {
    flag: 'wait',
    description: 'how long to wait for what becomes of it (30s; 0s: not at all)',
    schema: milliseconds.prefault('30s'),
  },
}
