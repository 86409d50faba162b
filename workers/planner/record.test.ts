import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeliveryEnvelope, RequestEnvelope } from '../../core/notification/envelope.ts'
import { deliveryIdFor, newNotificationId } from '../../core/notification/ids.ts'
import { findRecordedRequests } from '../../core/store/notifications.ts'
import { unknownBody } from '../../core/store/schema.ts'
import { testDatabase } from '../../test/harness/postgres/postgres.ts'
import type { PlannedDelivery } from './expand.ts'
import { type PlannedRequest, recordRequests } from './record.ts'

let database: Awaited<ReturnType<typeof testDatabase>>
let count = 0

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

function planned(change: Partial<RequestEnvelope> = {}, channels = ['email']): PlannedRequest {
  const request: RequestEnvelope = {
    id: newNotificationId(Date.now(), Buffer.alloc(10, ++count)),
    body_hash: 'ab'.repeat(32),
    tenant: 'shop',
    to: [{ user_id: 'ada' }],
    channels,
    data: {},
    metadata: { order: 1 },
    accepted_at: '2026-01-01T00:00:00.000Z',
    ...change,
  }
  const deliveries = channels.map(
    (channel): PlannedDelivery => ({
      id: deliveryIdFor(request.id, 'user:ada', channel),
      channel,
      channelType: 'email',
      recipient: 'user:ada',
      userId: 'ada',
      expiresAt: '2026-01-04T00:00:00.000Z',
      result: { kind: 'skip', status: 'skipped', reason: 'no_address' },
    }),
  )
  return { request, traceparent: undefined, deliveries }
}

const deliveriesOf = ({ request }: PlannedRequest) =>
  database.db
    .selectFrom('deliveries')
    .select(['id', 'channel', 'status', 'reason'])
    .where('notification_id', '=', request.id)
    .execute()
const notificationOf = ({ request }: PlannedRequest) =>
  database.db.selectFrom('notifications').selectAll().where('id', '=', request.id).executeTakeFirstOrThrow()

describe('recordRequests', () => {
  it('writes each request and its deliveries', async () => {
    const one = planned({}, ['email', 'sms'])
    const two = planned()
    expect(await recordRequests(database.db, [one, two])).toEqual([one, two])
    expect(await deliveriesOf(one)).toHaveLength(2)
    expect(await deliveriesOf(two)).toMatchObject([
      { channel: 'email', status: 'skipped', reason: 'no_address' },
    ])
    expect(await notificationOf(one)).toMatchObject({ tenant: 'shop', metadata: { order: 1 }, conflicts: 0 })
  })

  it('changes nothing when a batch is planned again, and lets it be sent again', async () => {
    const request = planned()
    await recordRequests(database.db, [request])
    await database.db
      .updateTable('deliveries')
      .set({ status: 'sent' })
      .where('notification_id', '=', request.request.id)
      .execute()
    expect(await recordRequests(database.db, [request])).toEqual([request])
    expect(await deliveriesOf(request)).toMatchObject([{ status: 'sent' }])
    expect(await notificationOf(request)).toMatchObject({ conflicts: 0 })
  })

  it('ends what can no longer be sent when it is planned again, unless somebody had claimed it', async () => {
    const sendable = (request: PlannedRequest): PlannedRequest => ({
      ...request,
      deliveries: request.deliveries.map((delivery) => ({
        ...delivery,
        result: { kind: 'send', topic: 't', envelope: {} as DeliveryEnvelope },
      })),
    })
    const [never, claimed] = [planned(), planned()]
    await recordRequests(database.db, [sendable(never), sendable(claimed)])
    await database.db
      .updateTable('deliveries')
      .set({ status: 'sending', attempt: 1 })
      .where('notification_id', '=', claimed.request.id)
      .execute()
    await recordRequests(database.db, [never, claimed])
    expect(await deliveriesOf(never)).toMatchObject([{ status: 'skipped', reason: 'no_address' }])
    expect(await deliveriesOf(claimed)).toMatchObject([{ status: 'sending', reason: null }])
  })

  it('takes a repeat that shares the batch with the first', async () => {
    const request = planned()
    expect(await recordRequests(database.db, [request, request])).toEqual([request, request])
    expect(await deliveriesOf(request)).toHaveLength(1)
    expect(await notificationOf(request)).toMatchObject({ conflicts: 0 })
  })

  it('drops a request whose id came before with another body, and counts it', async () => {
    const first = planned()
    const other = { ...first, request: { ...first.request, body_hash: 'cd'.repeat(32) } }
    expect(await recordRequests(database.db, [first, other])).toEqual([first])
    expect(await recordRequests(database.db, [other])).toEqual([])
    expect(await notificationOf(first)).toMatchObject({ conflicts: 2 })
  })

  it('takes a request whose deliveries alone were left in the store for what it is', async () => {
    const first = planned()
    await recordRequests(database.db, [first])
    await database.db
      .updateTable('notifications')
      .set({ body_hash: unknownBody })
      .where('id', '=', first.request.id)
      .execute()
    expect(await findRecordedRequests(database.db, [first.request.id])).toEqual(new Map())
    expect(await recordRequests(database.db, [first])).toEqual([first])
    expect((await findRecordedRequests(database.db, [first.request.id])).size).toBe(1)
    const other = { ...first, request: { ...first.request, body_hash: 'cd'.repeat(32) } }
    expect(await recordRequests(database.db, [other])).toEqual([])
  })

  it('survives two planners that record the same requests at once', async () => {
    const batch = Array.from({ length: 50 }, () => planned())
    await Promise.all([recordRequests(database.db, batch), recordRequests(database.db, batch.toReversed())])
    for (const request of batch) expect(await deliveriesOf(request)).toHaveLength(1)
  })
})
