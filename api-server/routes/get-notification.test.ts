import { expect, it } from 'vitest'
import { formatDeliveryId, formatNotificationId, newNotificationId } from '../../core/notification/ids.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { openStore } from '../../core/store/store.ts'
import { testApi, useTestApi } from '../../test/harness/api.ts'

const api = useTestApi()
let count = 0

const at = (second: number) => new Date(Date.UTC(2026, 5, 1, 12, 0, second))
const deliveryId = (n: number) => `00000000-0000-8000-8000-00000000000${n}`

function newId(tenant = 'default') {
  const id = newNotificationId(at(0).getTime(), Buffer.alloc(10, ++count))
  return { id, text: formatNotificationId(api.keys, tenant, id) }
}

const read = (text: string, from = api) => from.app.inject(`/v1/notifications/${text}`)

it('is accepted as long as the planner has not recorded it', async () => {
  const { text } = newId()
  const response = await read(text)
  expect(response.statusCode).toBe(200)
  expect(response.json()).toEqual({ id: text, status: 'accepted', deliveries: [] })
})

it.each(['ntf_x', `ntf_${'0'.repeat(34)}`, 'order-1'])('is not there: %s was never issued', async (text) => {
  expect((await read(text)).statusCode).toBe(404)
})

it('is not there for another tenant', async () => {
  const response = await read(newId('other').text)
  expect(response.statusCode).toBe(404)
  expect(response.json()).toMatchObject({ code: 'not_found' })
})

it('shows its deliveries, their attempts, and what happened when', async () => {
  const { id, text } = newId()
  const shared = { notification_id: id, tenant: 'default', created_at: at(1), user_id: null }
  await api.db
    .insertInto('notifications')
    .values({
      id,
      tenant: 'default',
      body_hash: Buffer.alloc(32),
      template: 'welcome',
      template_revision: 'r1',
      category: 'account',
      metadata: JSON.stringify({ order: '42' }),
      accepted_at: at(0),
      expires_at: at(59),
      conflicts: 1,
    })
    .execute()
  await api.db
    .insertInto('deliveries')
    .values([
      {
        ...shared,
        id: deliveryId(1),
        channel: 'email',
        channel_type: 'email',
        recipient: 'email:ada.lovelace@example.com',
        status: 'sent',
        attempt: 2,
        provider: 'primary',
        provider_message_id: 'm-1',
        updated_at: at(9),
      },
      {
        ...shared,
        id: deliveryId(2),
        channel: 'sms',
        channel_type: 'sms',
        recipient: 'user:ada',
        user_id: 'ada',
        status: 'skipped',
        reason: 'no_address',
        updated_at: at(1),
      },
    ])
    .execute()
  const attempt = { delivery_id: deliveryId(1), replay_epoch: 0, owner: 'w', provider: 'primary' }
  await api.db
    .insertInto('attempts')
    .values([
      {
        ...attempt,
        attempt: 1,
        claim: 1,
        claimed_at: at(2),
        finished_at: at(3),
        outcome: 'not_sent',
        code: '421',
        detail: 'service not available',
      },
      { ...attempt, attempt: 2, claim: 1, claimed_at: at(8), finished_at: at(9), outcome: 'sent' },
    ])
    .execute()

  const response = await read(text)
  expect(response.json()).toEqual({
    id: text,
    status: 'completed',
    channels: ['email', 'sms'],
    template: { id: 'welcome', revision: 'r1' },
    category: 'account',
    metadata: { order: '42' },
    created_at: at(0).toISOString(),
    expires_at: at(59).toISOString(),
    conflicts: 1,
    deliveries: [
      {
        id: formatDeliveryId(deliveryId(1)),
        channel: 'email',
        type: 'email',
        recipient: { email: 'a***@example.com' },
        status: 'sent',
        provider: 'primary',
        provider_message_id: 'm-1',
        created_at: at(1).toISOString(),
        updated_at: at(9).toISOString(),
        attempts: [
          {
            attempt: 1,
            claim: 1,
            replay: 0,
            outcome: 'not_sent',
            provider: 'primary',
            code: '421',
            detail: 'service not available',
            started_at: at(2).toISOString(),
            finished_at: at(3).toISOString(),
          },
          {
            attempt: 2,
            claim: 1,
            replay: 0,
            outcome: 'sent',
            provider: 'primary',
            started_at: at(8).toISOString(),
            finished_at: at(9).toISOString(),
          },
        ],
        timeline: [
          { at: at(0).toISOString(), event: 'accepted' },
          { at: at(1).toISOString(), event: 'queued' },
          { at: at(2).toISOString(), event: 'sending', attempt: 1 },
          {
            at: at(3).toISOString(),
            event: 'not_sent',
            attempt: 1,
            provider: 'primary',
            detail: '421: service not available',
          },
          { at: at(8).toISOString(), event: 'sending', attempt: 2 },
          { at: at(9).toISOString(), event: 'sent', attempt: 2, provider: 'primary' },
        ],
      },
      {
        id: formatDeliveryId(deliveryId(2)),
        channel: 'sms',
        type: 'sms',
        recipient: { user_id: 'ada' },
        status: 'skipped',
        reason: 'no_address',
        created_at: at(1).toISOString(),
        updated_at: at(1).toISOString(),
        attempts: [],
        timeline: [
          { at: at(0).toISOString(), event: 'accepted' },
          { at: at(1).toISOString(), event: 'skipped', reason: 'no_address' },
        ],
      },
    ],
  })
})

it('says when to ask again while the database is away', async () => {
  const logger = createLogger({ level: 'ERROR', destination: { write() {} } })
  const gone = openStore({ url: 'postgresql://postgres@127.0.0.1:1/none', logger })
  const alone = await testApi({ db: gone.db })
  const response = await read(newId().text, alone)
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('5')
  expect(response.json()).toMatchObject({ code: 'store_unavailable' })
  await alone.app.close()
  await gone.close()
})
