/** The header that makes a repeat safe: the same key is the same notification. */
export const idempotencyHeaders = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x21-\\x7e]+$',
      description:
        'Yours to choose, 1 to 255 visible characters such as order-123-shipped: a repeat with the same key sends nothing again.',
    },
  },
} as const

export interface IdempotencyHeaders {
  'idempotency-key'?: string
}
