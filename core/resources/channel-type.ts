/** The kinds of channel: how a message reaches a person or a system. The value of `spec.type`, immutable once set. */
export const channelTypes = ['email', 'sms', 'push', 'slack', 'inapp', 'webhook'] as const

export type ChannelType = (typeof channelTypes)[number]
