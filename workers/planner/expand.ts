import type { CatalogEntry } from '../../core/catalog/catalog.ts'
import type { DeliveryEnvelope, RequestEnvelope } from '../../core/notification/envelope.ts'
import { deliveryIdFor } from '../../core/notification/ids.ts'
import {
  canonicalRecipient,
  channelTypeOf,
  propertyOf,
  type Recipient,
} from '../../core/notification/recipient.ts'
import type { Reason } from '../../core/notification/status.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { ChannelType } from '../../core/resources/channel-type.ts'
import { parseDuration } from '../../core/resources/duration.ts'
import type { UserProfile } from '../../core/notification/user-profile.ts'

/** One recipient on one channel, and either the envelope that goes out or the reason why none does. */
export interface PlannedDelivery {
  id: string
  channel: string
  channelType: ChannelType
  recipient: string
  userId: string | null
  expiresAt: string | undefined
  result:
    | { kind: 'send'; topic: string; envelope: DeliveryEnvelope }
    | { kind: 'skip'; status: 'skipped' | 'failed' | 'expired'; reason: Reason }
}

export interface ExpandOptions {
  /** Prefix of the install's topics. */
  prefix: string
  channel: (namespace: string, name: string) => CatalogEntry<NotificationChannel> | undefined
  /** The id of the notification as the API shows it. */
  publicId: string
  /** Known users of the request's tenant, by id. */
  users: ReadonlyMap<string, UserProfile>
  /** Milliseconds since the epoch: what is due by then comes too late. */
  now: number
}

/**
 * Turns a request into deliveries: every recipient on every channel that fits. Pure, and the same for the same request, so
 * planning it again after a crash gives the same ids.
 */
export function expand(
  request: RequestEnvelope,
  { prefix, publicId, channel, users, now }: ExpandOptions,
): PlannedDelivery[] {
  const deliveries = new Map<string, PlannedDelivery>()
  for (const name of request.channels) {
    const spec = channel(request.tenant, name)?.resource.spec
    for (const recipient of request.to) {
      for (const target of targetsOf(recipient, spec?.type, users)) {
        const planned = plan(request, { prefix, publicId, name, spec, now }, recipient, target)
        deliveries.set(planned.id, planned)
      }
    }
  }
  return [...deliveries.values()]
}

interface Target {
  recipient: string
  address: string | undefined
  user?: Record<string, unknown>
}

interface PlanContext {
  prefix: string
  publicId: string
  name: string
  spec: NotificationChannel['spec'] | undefined
  now: number
}

function plan(
  request: RequestEnvelope,
  { prefix, publicId, name, spec, now }: PlanContext,
  recipient: Recipient,
  { recipient: canonical, address, user }: Target,
): PlannedDelivery {
  const id = deliveryIdFor(request.id, canonical, name)
  const { to: _to, channels: _channels, body_hash: _hash, id: notificationId, ...shared } = request
  const channelType = spec?.type ?? channelTypeOf(recipient) ?? 'inapp'
  const expiresAt = spec && earliest(request, parseDuration(spec.delivery.expiresAfter))
  const planned = {
    id,
    channel: name,
    channelType,
    recipient: canonical,
    userId: recipient.user_id ?? null,
    expiresAt,
  }
  if (spec === undefined)
    return { ...planned, result: { kind: 'skip', status: 'failed', reason: 'channel_deleted' } }
  if (address === undefined)
    return { ...planned, result: { kind: 'skip', status: 'skipped', reason: 'no_address' } }
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now)
    return { ...planned, result: { kind: 'skip', status: 'expired', reason: 'expired' } }
  const envelope: DeliveryEnvelope = {
    ...shared,
    id,
    notification_id: notificationId,
    notification: publicId,
    channel: name,
    channel_type: spec.type,
    recipient: canonical,
    address,
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
    ...(user && { user }),
  }
  const { main } = channelTopics(prefix, { namespace: request.tenant, name }, spec.topic.name, [])
  return { ...planned, result: { kind: 'send', topic: main, envelope } }
}

/** Where the recipient is reached on a channel of this type. Nobody for an address of another kind; a user without one is named. */
function targetsOf(
  recipient: Recipient,
  type: ChannelType | undefined,
  users: ReadonlyMap<string, UserProfile>,
): Target[] {
  const canonical = canonicalRecipient(recipient)
  const fits = channelTypeOf(recipient)
  if (fits !== undefined) {
    const address = recipient[propertyOf(recipient)]
    return type === undefined || type === fits ? [{ recipient: canonical, address }] : []
  }
  const id = recipient.user_id ?? ''
  const profile = users.get(id)
  const user = { ...publicProfile(profile), id }
  if (type !== 'push') return [{ recipient: canonical, address: addressOf(id, profile, type), user }]
  const tokens = profile?.device_tokens ?? []
  if (tokens.length === 0) return [{ recipient: canonical, address: undefined, user }]
  return tokens.map((token) => ({ recipient: `${canonical}/device:${token}`, address: token, user }))
}

function addressOf(
  id: string,
  profile: UserProfile | undefined,
  type: ChannelType | undefined,
): string | undefined {
  switch (type) {
    case 'inapp':
      return id
    case 'email':
      return profile?.email
    case 'sms':
      return profile?.phone
    case 'slack':
      return profile?.slack_channel
    case 'webhook':
      return profile?.webhook_url
    case 'push':
    case undefined:
      return undefined
  }
}

/** What templates may say of a person: not the addresses of other channels. */
function publicProfile(profile: UserProfile | undefined): Record<string, unknown> {
  const { name, email, locale, attributes } = profile ?? {}
  return {
    ...attributes,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(locale !== undefined && { locale }),
  }
}

function earliest(request: RequestEnvelope, expiresAfter: number): string {
  const byChannel = new Date(Date.parse(request.accepted_at) + expiresAfter).toISOString()
  return request.expires_at !== undefined && Date.parse(request.expires_at) < Date.parse(byChannel)
    ? request.expires_at
    : byChannel
}
