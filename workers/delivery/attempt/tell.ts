import { isEventStatus } from '../../../core/events/delivery-event.ts'
import type { EventPublisher } from '../../../core/events/publisher.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { DeliveryStatus, Reason } from '../../../core/notification/status.ts'

/** A status that a delivery has got, and the attempt at which it got it. */
interface NewStatus {
  status: DeliveryStatus
  reason: Reason | null
  attempt: number
  replayEpoch: number
}

/** Tells of a status. Resolves when it is told: what it is about counts as finished only then. */
export type Tell = (envelope: DeliveryEnvelope, change: NewStatus) => Promise<void>

/** Tells of statuses through a publisher of events; those of which there is no event are left out. */
export function createTell(events: Pick<EventPublisher, 'publish'>): Tell {
  return async (envelope, { status, reason, attempt, replayEpoch }) => {
    if (!isEventStatus(status)) return
    await events.publish({
      id: envelope.id,
      notification: envelope.notification,
      namespace: envelope.tenant,
      channel: envelope.channel,
      type: envelope.channel_type,
      status,
      reason,
      attempt,
      replay: replayEpoch,
    })
  }
}
