import { expect, it } from 'vitest'
import { formatNotificationId, newNotificationId } from '../../core/notification/ids.ts'
import type { DeliveryStatus } from '../../core/notification/status.ts'
import { useTestApi } from '../../test/harness/api.ts'
import { numberedId, queuedDelivery } from '../../test/harness/ledger-rows.ts'

const api = useTestApi()
let count = 0

/** A recorded notification with a delivery of each of these statuses, and its public id. */
async function record(statuses: readonly DeliveryStatus[], tenant = 'default'): Promise<string> {
  const id = newNotificationId(Date.now(), Buffer.alloc(10, ++count))
  const now = new Date()
  await api.db
    .insertInto('notifications')
    .values({ id, tenant, body_hash: Buffer.alloc(32), metadata: '{}', accepted_at: now })
    .execute()
  const rows = statuses.map((status, index) =>
    queuedDelivery(numberedId(++count), {
      notification_id: id,
      tenant,
      channel: `channel-${index}`,
      status,
      due_at: status === 'retrying' ? now : null,
    }),
  )
  if (rows.length > 0) await api.db.insertInto('deliveries').values(rows).execute()
  return formatNotificationId(api.keys, tenant, id)
}

const cancel = (id: string) => api.app.inject({ method: 'POST', url: `/v1/notifications/${id}/cancel` })
const statusesIn = (body: { deliveries: { status: string }[] }) => body.deliveries.map(({ status }) => status)

it('ends what waits, and shows what was too late', async () => {
  const id = await record(['queued', 'retrying', 'sending', 'sent', 'failed'])
  const response = await cancel(id)
  expect(response.statusCode).toBe(200)
  const body = response.json<{ status: string; deliveries: { status: string; due_at?: string }[] }>()
  expect(statusesIn(body)).toEqual(['cancelled', 'cancelled', 'sending', 'sent', 'failed'])
  expect(body.deliveries[1]!.due_at).toBeUndefined()
})

it('makes the notification cancelled when nothing of it was sent, however often it is asked', async () => {
  const id = await record(['queued', 'retrying'])
  const first = await cancel(id)
  expect(first.json()).toMatchObject({ id, status: 'cancelled' })
  const second = await cancel(id)
  expect(second.statusCode).toBe(200)
  expect(second.json()).toEqual(first.json())
})

it('needs no body, whatever the client declares', async () => {
  const url = `/v1/notifications/${await record(['queued'])}/cancel`
  const headers = { 'content-type': 'application/json' }
  expect((await api.app.inject({ method: 'POST', url, headers })).statusCode).toBe(200)
  expect((await api.app.inject({ method: 'POST', url, headers, payload: '{}' })).statusCode).toBe(200)
  expect((await api.app.inject({ method: 'POST', url, headers, payload: '{' })).statusCode).toBe(400)
})

it('says so when all of it has ended', async () => {
  const response = await cancel(await record(['sent', 'dead_lettered']))
  expect(response.statusCode).toBe(409)
  expect(response.json()).toMatchObject({ code: 'too_late' })
})

it('is taken before the planner has recorded the request', async () => {
  const id = newNotificationId(Date.now(), Buffer.alloc(10, ++count))
  const text = formatNotificationId(api.keys, 'default', id)
  const response = await cancel(text)
  expect(response.statusCode).toBe(202)
  expect(response.json()).toEqual({ id: text, status: 'accepted', deliveries: [] })
})

it("is refused for ids that we never issued, and for another tenant's", async () => {
  const foreign = await record(['queued'], 'other')
  for (const id of [foreign, `ntf_${'0'.repeat(34)}`]) expect((await cancel(id)).statusCode).toBe(404)
  const row = await api.db.selectFrom('deliveries').select('status').where('tenant', '=', 'other').execute()
  expect(row).toEqual([{ status: 'queued' }])
})
