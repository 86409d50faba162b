import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deliveryIdFor, newNotificationId } from '../../core/notification/ids.ts'
import { canonicalRecipient } from '../../core/notification/recipient.ts'
import { requestsTopic } from '../../core/notification/topics.ts'
import { prefix } from './scenario.ts'
import type { World } from './world.ts'

/** The bytes that nobody can read. */
export const garbage = Buffer.from([0xff, 0x00, 0x7b])

/** What the API has said 202 to: the request, and the delivery that must come of it. */
export interface Accepted {
  notification: string
  delivery: string
  recipient: string
  to: string
}

/** The requests of a scenario. The same in every run. */
export function acceptedOf({ scenario }: Pick<World, 'scenario'>): Accepted[] {
  const { name } = scenario.channel.metadata
  return scenario.requests.map(({ to }, index) => {
    const notification = newNotificationId(0, Buffer.alloc(10, index + 1))
    const recipient = canonicalRecipient(recipientOf(scenario.channel.spec.type, to))
    return { notification, delivery: deliveryIdFor(notification, recipient, name), recipient, to }
  })
}

/** Appends the requests when their time comes, as the API does: what cannot be appended is not accepted, and the client comes again. */
export function acceptAll(world: World): void {
  const { scenario, time, cluster } = world
  const { name, namespace } = scenario.channel.metadata
  const accepted = acceptedOf(world)
  for (const [index, { at, to, expiresAfter }] of scenario.requests.entries()) {
    const now = time.now() + at
    const envelope: RequestEnvelope = {
      id: accepted[index]!.notification,
      body_hash: '00'.repeat(32),
      tenant: namespace,
      to: [recipientOf(scenario.channel.spec.type, to)],
      channels: [name],
      content: { subject: 'Hi', text: 'Hello' },
      data: {},
      metadata: {},
      accepted_at: new Date(now).toISOString(),
      ...(expiresAfter !== undefined && { expires_at: new Date(now + expiresAfter).toISOString() }),
    }
    time.after(at, () =>
      cluster.append([{ topic: requestsTopic(prefix), key: to, ...encodeRequest(envelope) }]),
    )
  }
  if (scenario.poison) {
    for (const topic of [requestsTopic(prefix), world.topics.main])
      time.after(0, () => cluster.append([{ topic, key: 'poison', value: garbage }]))
  }
}

function recipientOf(type: string, to: string) {
  return type === 'inapp' ? { user_id: to } : { phone: to }
}
