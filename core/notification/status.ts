/**
 * Statuses of a delivery (one recipient on one channel), exclusive of each other. Engagement (seen, read, clicked) is not a status: it is
 * kept apart as timestamps.
 */
export const deliveryStatuses = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'retrying',
  'unknown',
  'sent',
  'simulated',
  'delivered',
  'bounced',
  'failed',
  'skipped',
  'cancelled',
  'expired',
  'dead_lettered',
] as const

export type DeliveryStatus = (typeof deliveryStatuses)[number]

export const reasons = [
  'preference_opt_out',
  'suppressed',
  'throttled',
  'duplicate',
  'no_address',
  'no_provider',
  'channel_suspended',
  'channel_deleted',
  'template_invalid',
  'provider_rejected',
  'provider_auth',
  'retries_exhausted',
  'expired',
  'log_expired',
  'idempotency_conflict',
  'poison',
  'topic_unavailable',
  'too_large',
  'invalid_record',
] as const

/** Why a delivery has the status it has; set whenever nothing was sent. */
export type Reason = (typeof reasons)[number]

/** What a topic says of one record that it will never take, whatever it takes of others: the reason with which its delivery ends. */
export type RecordVerdict = Extract<Reason, 'too_large' | 'invalid_record'>

const succeeded: ReadonlySet<DeliveryStatus> = new Set(['sent', 'delivered', 'simulated'])
const harmless: ReadonlySet<DeliveryStatus> = new Set(['skipped', 'cancelled'])
const unfinished: ReadonlySet<DeliveryStatus> = new Set([
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'retrying',
])

/** Whether the worker has nothing more to do for the delivery. `sent` is terminal for it, though a receipt may still raise the status. */
export function isTerminal(status: DeliveryStatus): boolean {
  return !unfinished.has(status)
}

export type NotificationStatus =
  | 'accepted'
  | 'processing'
  | 'completed'
  | 'completed_with_failures'
  | 'failed'
  | 'cancelled'

/**
 * The status of a notification, computed from its deliveries and never stored. `skipped` and `cancelled` deliveries are no
 * failures; a notification whose deliveries were all cancelled is `cancelled`.
 */
export function notificationStatus(
  planned: boolean,
  deliveries: readonly DeliveryStatus[],
): NotificationStatus {
  if (!planned) return 'accepted'
  if (deliveries.some((status) => !isTerminal(status))) return 'processing'
  if (deliveries.length > 0 && deliveries.every((status) => status === 'cancelled')) return 'cancelled'
  const failures = deliveries.filter((status) => !succeeded.has(status) && !harmless.has(status))
  if (failures.length === 0) return 'completed'
  return deliveries.some((status) => succeeded.has(status)) ? 'completed_with_failures' : 'failed'
}
