import { beforeEach, describe, expect, it } from 'vitest'
import { formatDeliveryId, formatNotificationId, parseDeliveryId } from '../../core/notification/ids.ts'
import { holdRecords } from '../../core/store/held-records.ts'
import { useTestApi } from '../harness/api.ts'
import { numberedId, queuedDelivery } from '../harness/ledger-rows.ts'
import { takeJob } from '../../workers/replayer/jobs.ts'

const api = useTestApi()
let count = 0

beforeEach(async () => {
  for (const table of ['deliveries', 'attempts', 'notifications', 'replays'] as const)
    await api.db.deleteFrom(table).execute()
})

interface Letter {
  tenant?: string
  channel?: string
  reason?: 'retries_exhausted' | 'poison'
  template?: string
  category?: string
  recipient?: string
  userId?: string
  expiresAt?: Date
}

/** A delivery that was dead-lettered just now. */
async function deadLetter(letter: Letter = {}): Promise<{ id: string; notification: string }> {
  const { tenant = 'default', channel = 'email', reason = 'retries_exhausted', userId = null } = letter
  const id = numberedId(++count)
  const now = new Date()
  await api.db
    .insertInto('notifications')
    .values({
      id,
      tenant,
      body_hash: Buffer.alloc(32),
      template: letter.template ?? null,
      category: letter.category ?? null,
      metadata: '{}',
      accepted_at: now,
    })
    .execute()
  await api.db
    .insertInto('deliveries')
    .values(
      queuedDelivery(id, {
        tenant,
        channel,
        recipient: letter.recipient ?? 'email:ada@example.com',
        user_id: userId,
        status: 'sending',
        expires_at: letter.expiresAt ?? null,
      }),
    )
    .execute()
  await api.db
    .insertInto('attempts')
    .values({
      delivery_id: id,
      replay_epoch: 0,
      attempt: 1,
      claim: 1,
      owner: 'w',
      claimed_at: now,
      finished_at: now,
      outcome: 'not_sent',
      provider: 'primary',
      code: 'ECONNREFUSED',
      detail: 'connection refused',
    })
    .execute()
  await setStatus(id, 'dead_lettered', reason)
  return { id: formatDeliveryId(id), notification: formatNotificationId(api.keys, tenant, id) }
}

async function setStatus(id: string, status: 'dead_lettered' | 'sending', reason: Letter['reason'] | null) {
  await api.db
    .updateTable('deliveries')
    .set({ status, reason, updated_at: new Date() })
    .where('id', '=', id)
    .execute()
}

const post = (payload: object) => api.app.inject({ method: 'POST', url: '/v1/replays', payload })
const get = async <T>(url: string) => (await api.app.inject(url)).json<T>()
const act = (id: string, verb: string) => api.app.inject({ method: 'POST', url: `/v1/replays/${id}/${verb}` })
const matched = async (filter: object) =>
  (await post({ filter, dry_run: true })).json<{ matched: number }>().matched

describe('GET /v1/dead-letters', () => {
  it('lists them newest first, page by page, with what their provider said last', async () => {
    const letters = []
    for (let index = 0; index < 3; index++) letters.push(await deadLetter({ template: 'welcome' }))
    await deadLetter({ tenant: 'other' })
    type Page = { data: { delivery: string }[]; next_cursor?: string }
    const first = await get<Page>('/v1/dead-letters?limit=2')
    expect(first.data.map(({ delivery }) => delivery)).toEqual([letters[2]!.id, letters[1]!.id])
    expect(first.data[0]).toMatchObject({
      notification: letters[2]!.notification,
      recipient: { email: 'a***@example.com' },
      reason: 'retries_exhausted',
      template: 'welcome',
      attempts: 1,
      replays: 0,
      last_error: { outcome: 'not_sent', provider: 'primary', code: 'ECONNREFUSED' },
    })
    const second = await get<Page>(`/v1/dead-letters?limit=2&cursor=${first.next_cursor}`)
    expect(second.data.map(({ delivery }) => delivery)).toEqual([letters[0]!.id])
    expect(second.next_cursor).toBeUndefined()
  })

  it('takes those of one channel or reason, and follows the status of the delivery', async () => {
    await deadLetter({ channel: 'sms' })
    await deadLetter({ reason: 'poison' })
    const data = async (query: string) => (await get<{ data: object[] }>(`/v1/dead-letters${query}`)).data
    expect(await data('?channel=sms')).toHaveLength(1)
    expect(await data('?reason=poison')).toHaveLength(1)
    expect(await data('?channel=sms&reason=poison')).toEqual([])
    await setStatus(numberedId(count), 'sending', null)
    expect(await data('')).toHaveLength(1)
    await setStatus(numberedId(count), 'dead_lettered', 'poison')
    expect(await data('')).toHaveLength(2)
    expect((await api.app.inject('/v1/dead-letters?reason=x')).json()).toMatchObject({
      errors: [{ parameter: 'reason', code: 'not_allowed' }],
    })
  })
})

it('counts the dead letters of every channel in /metrics', async () => {
  await deadLetter()
  await deadLetter()
  const metrics = async () => (await api.app.inject('/metrics')).body
  // A scrape waits a second for the count, and no longer.
  await expect.poll(metrics).toContain('carillon_dead_letters{namespace="default",channel="email"} 2\n')
  expect(await metrics()).toContain('carillon_dead_letters{namespace="default",channel="sms"} 0\n')
})

describe('POST /v1/replays', () => {
  it('says with dry_run what would be replayed, and does nothing', async () => {
    await deadLetter({ expiresAt: new Date(Date.now() - 1_000) })
    for (let index = 0; index < 6; index++) await deadLetter({ channel: 'sms' })
    const { id } = await deadLetter({ reason: 'poison' })
    const delivery = parseDeliveryId(id)!
    const state = { status: 'dead_lettered', replayEpoch: 0, attempt: 0 } as const
    const letter = { topic: 'p.default.email.dlq', key: null, value: null, headers: {} }
    await holdRecords(api.db, [{ ...letter, delivery, state }])
    const response = await post({ dry_run: true })
    expect(response.statusCode).toBe(200)
    expect(response.json()).toMatchObject({
      dry_run: true,
      matched: 8,
      expired: 1,
      waiting: 1,
      breakdown: [
        { channel: 'sms', reason: 'retries_exhausted', count: 6 },
        { channel: 'email', reason: 'poison', count: 1 },
        { channel: 'email', reason: 'retries_exhausted', count: 1 },
      ],
    })
    expect(response.json<{ examples: object[] }>().examples).toHaveLength(5)
    expect(await get('/v1/replays')).toEqual({ data: [] })
  })

  it('means by a filter what fits all of its properties', async () => {
    const { id, notification } = await deadLetter({ template: 'welcome', category: 'account' })
    await deadLetter({ channel: 'sms', recipient: 'phone:+15550100', reason: 'poison' })
    await deadLetter({ channel: 'push', recipient: 'user:ada/device:x', userId: 'ada' })
    expect(await matched({})).toBe(3)
    expect(await matched({ channels: ['sms', 'push'] })).toBe(2)
    expect(await matched({ reasons: ['poison'] })).toBe(1)
    expect(await matched({ templates: ['welcome'] })).toBe(1)
    expect(await matched({ categories: ['account'], channels: ['sms'] })).toBe(0)
    expect(await matched({ recipients: [{ email: 'ada@EXAMPLE.com' }, { user_id: 'ada' }] })).toBe(2)
    expect(await matched({ notifications: [notification] })).toBe(1)
    expect(await matched({ deliveries: [id] })).toBe(1)
    expect(await matched({ since: new Date(Date.now() - 60_000).toISOString() })).toBe(3)
    expect(await matched({ until: new Date(Date.now() - 60_000).toISOString() })).toBe(0)
  })

  it('answers 202 with a replay whose progress can be read', async () => {
    for (let index = 0; index < 3; index++) await deadLetter()
    const response = await post({ filter: { recipients: [{ email: 'ada@example.com' }] }, rate: 7, limit: 2 })
    expect(response.statusCode).toBe(202)
    const replay = response.json<{ id: string }>()
    expect(replay).toMatchObject({
      status: 'pending',
      filter: { recipients: [{ email: 'a***@example.com' }] },
      rate: 7,
      limit: 2,
      matched: 3,
      replayed: 0,
      skipped: 0,
      remaining: 2,
    })
    expect(response.headers['location']).toBe(`/v1/replays/${replay.id}`)
    const job = await takeJob(api.db)
    await job!.save({ replayed: 1, skipped: { expired: 1, unreadable: 4 }, positions: {} })
    expect(await get(`/v1/replays/${replay.id}`)).toMatchObject({
      status: 'running',
      replayed: 1,
      skipped: 5,
      skipped_reasons: { expired: 1, unreadable: 4 },
      remaining: 1,
    })
    expect(await takeJob(api.db)).toBeUndefined()
  })

  it('does not take into a replay what is dead-lettered later', async () => {
    await deadLetter()
    const { id } = (await post({})).json<{ id: string }>()
    await deadLetter()
    expect(await get(`/v1/replays/${id}`)).toMatchObject({ matched: 1 })
  })

  it.each<[object, string, string]>([
    [{ filter: { chanels: ['x'] } }, '/filter/chanels', 'unknown_field'],
    [{ filter: { channels: [] } }, '/filter/channels', 'too_few'],
    [{ filter: { channels: ['email', 'pigeon'] } }, '/filter/channels/1', 'unknown_channel'],
    [{ filter: { reasons: ['bored'] } }, '/filter/reasons/0', 'not_allowed'],
    [{ filter: { recipients: [{}] } }, '/filter/recipients/0', 'too_few'],
    [{ filter: { notifications: ['ntf_x'] } }, '/filter/notifications/0', 'unknown_id'],
    [{ filter: { deliveries: ['x'] } }, '/filter/deliveries/0', 'unknown_id'],
    [{ filter: { since: 'yesterday' } }, '/filter/since', 'wrong_format'],
    [
      { filter: { since: '2026-11-30T10:00:00Z', until: '2026-11-30T10:00:00Z' } },
      '/filter/until',
      'too_small',
    ],
    [{ rate: 0 }, '/rate', 'too_small'],
    [{ rate: 1_001 }, '/rate', 'too_large'],
    [{ limit: 0 }, '/limit', 'too_small'],
  ])('refuses %j at its place', async (body, pointer, code) => {
    const response = await post(body)
    expect(response.statusCode).toBe(422)
    expect(response.json()).toMatchObject({ errors: [{ pointer, code }] })
  })
})

describe('a replay', () => {
  it('is cancelled once, and then its runner is told that it is no longer its', async () => {
    await deadLetter()
    const { id } = (await post({})).json<{ id: string }>()
    const job = await takeJob(api.db)
    const response = await act(id, 'cancel')
    expect(response.statusCode).toBe(200)
    expect(response.json()).toMatchObject({ status: 'cancelled', finished_at: expect.any(String) as string })
    expect(await job!.save({ replayed: 1, skipped: {}, positions: {} })).toBe(false)
    await job!.end({ replayed: 1, skipped: {}, positions: {} }, 'completed')
    expect(await get(`/v1/replays/${id}`)).toMatchObject({ status: 'cancelled', replayed: 0 })
    // Also for a client that declares JSON where there is no body.
    const [method, url] = ['POST', `/v1/replays/${id}/cancel`] as const
    const headers = { 'content-type': 'application/json' }
    expect((await api.app.inject({ method, url, headers })).statusCode).toBe(409)
    expect((await act(id, 'resume')).statusCode).toBe(409)
    expect((await act('rpl_x', 'cancel')).statusCode).toBe(404)
  })

  it('that paused itself says why, and goes on when it is told to', async () => {
    await deadLetter()
    const { id } = (await post({})).json<{ id: string }>()
    const job = await takeJob(api.db)
    await job!.end({ replayed: 0, skipped: {}, positions: {} }, 'paused', 'most of them failed again')
    expect(await get(`/v1/replays/${id}`)).toMatchObject({
      status: 'paused',
      reason: 'most of them failed again',
    })
    expect(await takeJob(api.db)).toBeUndefined()
    expect((await act(id, 'resume')).json()).toMatchObject({ status: 'pending' })
    expect((await takeJob(api.db))?.replay).toMatchObject({ status: 'running', reason: null })
  })

  it('whose runner is gone is taken over when its lease has run out, and the frozen one is told', async () => {
    await deadLetter()
    await post({})
    const frozen = await takeJob(api.db)
    await api.db
      .updateTable('replays')
      .set({ lease_until: new Date(Date.now() - 1) })
      .execute()
    const next = await takeJob(api.db)
    expect(next?.replay.id).toBe(frozen!.replay.id)
    expect(await frozen!.save({ replayed: 9, skipped: {}, positions: {} })).toBe(false)
    expect(await next!.save({ replayed: 1, skipped: {}, positions: {} })).toBe(true)
    await next!.release()
    expect((await takeJob(api.db))?.replay).toMatchObject({ replayed: 1 })
  })

  it('is listed, the newest first', async () => {
    const ids = []
    for (let index = 0; index < 3; index++) ids.push((await post({})).json<{ id: string }>().id)
    const first = await get<{ data: { id: string }[]; next_cursor: string }>('/v1/replays?limit=2')
    expect(first.data.map(({ id }) => id)).toEqual([ids[2], ids[1]])
    expect(await get(`/v1/replays?cursor=${first.next_cursor}`)).toMatchObject({ data: [{ id: ids[0] }] })
    expect((await api.app.inject('/v1/replays?cursor=x')).statusCode).toBe(422)
  })
})
