import { formatDeliveryId, formatNotificationId, type InstallKeys } from '../../core/notification/ids.ts'
import { isTerminal, notificationStatus } from '../../core/notification/status.ts'
import type { InboxPage } from '../../core/store/inbox.ts'
import type { DeliveryHistory, NotificationHistory, RecordedRequest } from '../../core/store/notifications.ts'
import type { StoredUser } from '../../core/store/users.ts'
import { encodeCursor } from '../http/cursor.ts'
import { maskRecipient } from './mask-recipient.ts'
import type {
  AcceptedNotification,
  DeliveryResource,
  InboxPageResource,
  NotificationResource,
  UserResource,
} from './resources.ts'

type Present<T> = { [K in keyof T]: Exclude<T[K], null | undefined> }

/** Leaves out what has no value: the API has no nulls. */
export function present<T extends object>(fields: T): Partial<Present<T>> {
  const entries = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(entries) as Partial<Present<T>>
}

/** The answer to a request that was accepted: before its deliveries are planned, and to a repeat of it. */
export function presentAccepted(id: string, request: RecordedRequest): AcceptedNotification {
  const { template, channels, acceptedAt } = request
  return {
    id,
    status: 'accepted',
    channels,
    ...(template && { template: { id: template.name, revision: template.revision } }),
    created_at: acceptedAt.toISOString(),
  }
}

/** A recorded notification with its deliveries and what happened to each. */
export function presentNotification(
  keys: InstallKeys,
  { notification, deliveries }: NotificationHistory,
): NotificationResource {
  const { template, template_revision: revision, conflicts } = notification
  const statuses = deliveries.map(({ status }) => status)
  return {
    id: formatNotificationId(keys, notification.tenant, notification.id),
    status: notificationStatus(true, statuses),
    channels: [...new Set(deliveries.map(({ channel }) => channel))].toSorted(),
    ...(template !== null && revision !== null && { template: { id: template, revision } }),
    ...present({ category: notification.category, expires_at: notification.expires_at?.toISOString() }),
    metadata: notification.metadata,
    created_at: notification.accepted_at.toISOString(),
    ...(conflicts > 0 && { conflicts }),
    deliveries: deliveries.map((delivery) => presentDelivery(delivery, notification.accepted_at)),
  }
}

function presentDelivery(delivery: DeliveryHistory, acceptedAt: Date): DeliveryResource {
  return {
    id: formatDeliveryId(delivery.id),
    channel: delivery.channel,
    type: delivery.channel_type,
    recipient: maskRecipient(delivery.recipient, delivery.user_id),
    status: delivery.status,
    ...present({
      reason: delivery.reason,
      provider: delivery.provider,
      provider_message_id: delivery.provider_message_id,
      due_at: delivery.due_at?.toISOString(),
      expires_at: delivery.expires_at?.toISOString(),
    }),
    created_at: delivery.created_at.toISOString(),
    updated_at: delivery.updated_at.toISOString(),
    attempts: delivery.attempts.map((attempt) => ({
      attempt: attempt.attempt,
      claim: attempt.claim,
      replay: attempt.replay_epoch,
      ...present({
        outcome: attempt.outcome,
        provider: attempt.provider,
        code: attempt.code,
        detail: attempt.detail,
      }),
      started_at: attempt.claimed_at.toISOString(),
      ...present({ finished_at: attempt.finished_at?.toISOString() }),
    })),
    timeline: timelineOf(delivery, acceptedAt),
  }
}

type Event = DeliveryResource['timeline'][number]

/** What the rows tell of the past of a delivery, oldest first. */
function timelineOf(delivery: DeliveryHistory, acceptedAt: Date): Event[] {
  const { status, attempts } = delivery
  const events: Event[] = [{ at: acceptedAt.toISOString(), event: 'accepted' }]
  if (attempts.length > 0 || !isTerminal(status))
    events.push({ at: delivery.created_at.toISOString(), event: 'queued' })
  for (const { attempt, claimed_at, finished_at, outcome, provider, code, detail } of attempts) {
    events.push({ at: claimed_at.toISOString(), event: 'sending', attempt })
    if (finished_at !== null && outcome !== null) {
      const said = [code, detail].filter((part) => part !== null).join(': ')
      events.push({
        at: finished_at.toISOString(),
        event: outcome,
        attempt,
        ...present({ provider }),
        ...(said && { detail: said }),
      })
    }
  }
  // A message that was sent has said so by its last attempt.
  if ((isTerminal(status) && status !== 'sent') || status === 'retrying') {
    const at = delivery.updated_at.toISOString()
    events.push({ at, event: status, ...present({ reason: delivery.reason }) })
  }
  return events.toSorted((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0))
}

/** A user as the API shows it. */
export function presentUser(id: string, { profile, createdAt, updatedAt }: StoredUser): UserResource {
  return { id, ...profile, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() }
}

/** A page of a user's inbox. */
export function presentInbox({ messages, next }: InboxPage): InboxPageResource {
  return {
    data: messages.map((message) => ({
      id: formatDeliveryId(message.deliveryId),
      title: message.title,
      body: message.body,
      ...present({ action_url: message.actionUrl }),
      created_at: message.createdAt.toISOString(),
      ...present({ read_at: message.readAt?.toISOString() }),
    })),
    ...(next !== undefined && { next_cursor: encodeCursor(next) }),
  }
}
