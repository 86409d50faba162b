import type { Message } from '../notification/message.ts'
import type { ChannelType } from '../resources/channel-type.ts'
import type { Parts } from './locale.ts'

export type Assembled =
  | { ok: true; message: Message }
  /** `part` is the field that keeps the parts from being a message. */
  | { ok: false; part: string; detail: string }

/**
 * Puts rendered parts together to a message, and refuses what no provider should be asked to send: a mail without a subject, an
 * empty text, a link that runs a script.
 */
export function assembleMessage(type: ChannelType, to: string, parts: Parts): Assembled {
  const text = (part: string) => (typeof parts[part] === 'string' ? parts[part] : '')
  switch (type) {
    case 'email': {
      const subject = oneLine(text('subject'))
      if (subject === '') return empty('subject')
      const [plain, html] = [text('text'), text('html')]
      if (isBlank(plain) && isBlank(html)) return empty(parts['html'] === undefined ? 'text' : 'html')
      return ok({
        type,
        to,
        subject,
        ...(!isBlank(plain) && { text: plain }),
        ...(!isBlank(html) && { html }),
      })
    }
    case 'sms':
      return isBlank(text('text')) ? empty('text') : ok({ type, to, text: text('text') })
    case 'push': {
      const title = oneLine(text('title'))
      if (title === '') return empty('title')
      return ok({ type, to, title, body: text('body'), data: stringValues(parts['data']) })
    }
    case 'slack': {
      const { blocks } = parts
      if (isBlank(text('text'))) return empty('text')
      return ok({ type, to, text: text('text'), ...(Array.isArray(blocks) && { blocks }) })
    }
    case 'inapp': {
      const title = oneLine(text('title'))
      if (title === '') return empty('title')
      const actionUrl = oneLine(text('actionUrl'))
      if (runsScript.test(actionUrl)) return { ok: false, part: 'actionUrl', detail: 'runs a script' }
      return ok({ type, to, title, body: text('body'), ...(actionUrl !== '' && { actionUrl }) })
    }
    case 'webhook':
      return ok({ type, to, body: parts['body'] })
  }
}

/** Schemes that execute in the page of whoever shows the inbox (WHATWG URL: case does not matter). */
const runsScript = /^(javascript|data|vbscript):/i

function ok(message: Message): Assembled {
  return { ok: true, message }
}

function empty(part: string): Assembled {
  return { ok: false, part, detail: 'is empty' }
}

/** A line break in a subject would end the header of a mail; no control character belongs into a line at all. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
}

/** Whether there is nothing to read. */
export function isBlank(text: string | undefined): boolean {
  return text === undefined || /^[\s\p{Cc}]*$/u.test(text)
}

/** Push services take strings only. */
function stringValues(data: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, String(value)]))
}
