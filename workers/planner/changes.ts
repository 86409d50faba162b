import type { StatusChange } from '../../core/events/delivery-event.ts'
import { formatNotificationId, type InstallKeys } from '../../core/notification/ids.ts'
import type { PlannedRequest } from './record.ts'

/** What is to be told of a request that was just recorded: its deliveries are queued, or ended before they began. */
export function changesOf({ request, deliveries }: PlannedRequest, keys: InstallKeys): StatusChange[] {
  const notification = formatNotificationId(keys, request.tenant, request.id)
  return deliveries.map(({ id, channel, channelType, result }) => ({
    id,
    notification,
    namespace: request.tenant,
    channel,
    type: channelType,
    status: result.kind === 'send' ? 'queued' : result.status,
    reason: result.kind === 'send' ? null : result.reason,
    attempt: 0,
    replay: 0,
  }))
}
