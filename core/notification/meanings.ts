import type { DeliveryStatus, Reason } from './status.ts'

/** What each word of a delivery means to who reads it: the page of the reference. Those that nothing gives yet say so (decision 0018). */

interface Meaning {
  /** Absent where nothing gives the word at present. */
  when?: string
  /** What such a word waits for. */
  reserved?: string
}

/** What a delivery with this status has come to. */
export const statusMeanings: Readonly<Record<DeliveryStatus, Meaning>> = {
  accepted: { reserved: 'a notification is accepted; its deliveries begin as `queued`' },
  scheduled: { reserved: 'sending at a later time' },
  queued: { when: 'It waits on its channel for its turn.' },
  sending: { when: 'A worker has claimed it and asks the provider.' },
  retrying: { when: 'The attempt failed for now; the next one is due at `due_at`.' },
  unknown: { when: 'Nobody can know whether it was sent, and it is not tried again.' },
  sent: { when: 'The provider took the message.' },
  simulated: { when: 'A sandbox took the message; nothing left the house.' },
  delivered: { reserved: 'receipts of vendors' },
  bounced: { reserved: 'receipts of vendors' },
  failed: { when: 'Refused for good, by the provider or because the message cannot be made.' },
  skipped: { when: 'Nothing was to be sent.' },
  cancelled: { when: 'It was cancelled before it was sent.' },
  expired: { when: 'It was not sent in time.' },
  dead_lettered: { when: 'It is not tried again by itself, and can be replayed.' },
}

/** Why a delivery has its status, and with which statuses that is said. */
export const reasonMeanings: Readonly<Record<Reason, Meaning>> = {
  preference_opt_out: { reserved: 'preferences' },
  suppressed: { reserved: 'lists of addresses not to be written to' },
  throttled: {
    when: '`skipped`: above the `perRecipientLimit` of the channel. `queued`, `retrying`: the provider said "too many".',
  },
  duplicate: { reserved: 'the same recipient twice in a request is one delivery' },
  no_address: { when: '`skipped`: nothing is known of the user that a channel of this type could reach.' },
  no_provider: { reserved: 'while no provider takes messages, they wait' },
  channel_suspended: {
    reserved: 'a suspended channel keeps its messages; what it keeps too long is `expired`',
  },
  channel_deleted: {
    when: '`failed`: the channel was gone when the request was planned, or has been gone for an hour.',
  },
  template_invalid: {
    when: '`failed`: the template cannot be rendered with these data, or its revision is gone. The attempt names part and line.',
  },
  provider_rejected: {
    when: '`failed`: the provider refused the message for good. The attempt has its code.',
  },
  provider_auth: {
    when: '`queued`, `retrying`: the provider refuses our credentials; such attempts are not counted.',
  },
  retries_exhausted: { when: '`dead_lettered`: all attempts of `maxAttempts` were spent.' },
  expired: {
    when: '`expired`: its time was over. `unknown`: so it was, and nobody knows whether the last attempt was sent.',
  },
  log_expired: { when: '`expired`: its record is no longer in the log.' },
  idempotency_conflict: {
    reserved: 'a repeat with another body is refused with 422, or counted in `conflicts` of the first',
  },
  poison: {
    when: '`dead_lettered`: the message cannot be used at all, or three workers in a row ended while they had it.',
  },
  topic_unavailable: {
    when: '`queued`, `retrying`: its topic takes no records, so it waits in the database. `expired`: for too long.',
  },
  too_large: {
    when: '`failed`: its record is too large for the topic of the channel. `dead_lettered`: the next one is for its retry topic.',
  },
  invalid_record: {
    when: '`failed`: Kafka takes its record for invalid, such as one that does not fit the schema of the topic. `dead_lettered`: the next one, on its retry topic.',
  },
}
