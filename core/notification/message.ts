/** What a template renders to and a provider sends: one shape per channel type. `to` is the address. */
export type Message = EmailMessage | SmsMessage | PushMessage | SlackMessage | InAppMessage | WebhookMessage

export interface EmailMessage {
  type: 'email'
  to: string
  subject: string
  text?: string
  html?: string
}

export interface SmsMessage {
  type: 'sms'
  /** E.164. */
  to: string
  text: string
}

export interface PushMessage {
  type: 'push'
  /** Device token. */
  to: string
  title: string
  body: string
  data: Record<string, string>
}

export interface SlackMessage {
  type: 'slack'
  /** Channel name or id. */
  to: string
  text: string
  blocks?: unknown[]
}

export interface InAppMessage {
  type: 'inapp'
  /** User id. */
  to: string
  title: string
  body: string
  actionUrl?: string
}

export interface WebhookMessage {
  type: 'webhook'
  /** URL. */
  to: string
  body: unknown
}
