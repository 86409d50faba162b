import type { DeliveryStatus } from '../../core/notification/status.ts'
import type { Idempotency } from '../../core/providers/provider.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { channelResource } from '../harness/fakes/resources.ts'
import type { Behaviour } from './vendor.ts'
import type { World } from './world.ts'

/** Of the install's topics. */
export const prefix = 'p'

export type LateTopic = 'main' | 'retries' | 'deadLetters' | 'requestsDeadLetters'

/** A small piece of life, to be lived through once undisturbed and then with a crash at every point. */
export interface Scenario {
  name: string
  channel: NotificationChannel
  idempotency: Idempotency
  /** Delivery workers at the start. */
  workers: number
  /** Who is written to, and when (milliseconds after the start). In the order of acceptance. */
  requests: { at: number; to: string; expiresAfter?: number }[]
  /** Records that nobody can read, beside the requests: on the topic of requests, and on the channel's. */
  poison?: boolean
  /** Topics that are made only after so many milliseconds. */
  late?: { after: number; topics: readonly LateTopic[] }
  vendor: Behaviour
  /** Whoever sends to this recipient dies of it, in the middle of the call. */
  deadly?: string
  /** What happens beside the traffic, at a time or at the nth call of a name; `caller` is who makes it, '' at a time. */
  events: (({ at: number } | { call: string; nth: number }) & {
    act: (world: World, caller: string) => void
  })[]
  /** How a delivery ends when nothing is disturbed, by recipient; `*` for all others. */
  ends: Record<string, DeliveryStatus>
  /** How else one may end when a process crashes. */
  orElse?: readonly DeliveryStatus[]
}

interface ChannelChanges {
  type?: string
  providers?: string[]
  delivery?: object
}

/** A channel with short waits. */
export function channelOf({ type = 'sms', providers = ['primary'], delivery = {} }: ChannelChanges = {}) {
  return channelResource(
    { name: type, namespace: 'shop' },
    {
      type,
      providers: providers.map((name) => ({
        name,
        type: type === 'inapp' ? 'inapp' : 'sandbox',
        timeout: '1s',
      })),
      delivery: { retryTiers: ['1s', '3s'], maxAttempts: 3, ...delivery },
    },
  )
}
