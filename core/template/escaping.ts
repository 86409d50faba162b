import { AssertionError, toValue } from 'liquidjs'

/** How values are made harmless where they are printed: for HTML, for Slack's mrkdwn (`<!channel>` is a command there), or not. */
export type Escaping = 'none' | 'html' | 'mrkdwn'

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

export const escapers = {
  html: (value: unknown) => textOf(value).replace(/[&<>"']/g, (character) => entities[character]!),
  /** https://docs.slack.dev/messaging/formatting-message-text: these three, and no others. */
  mrkdwn: (value: unknown) =>
    textOf(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
}

/** What a value reads as. `[object Object]` in a message is always a mistake of its template. */
export function textOf(input: unknown): string {
  const value: unknown = toValue(input)
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(textOf).join('')
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new AssertionError('an object cannot be printed; print its properties')
}
