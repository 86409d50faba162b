import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../core/broker/broker.ts'
import { parseNotificationId } from '../../../core/notification/ids.ts'
import { useTestApi } from '../../../test/harness/api.ts'

const api = useTestApi()

const post = (url: string, payload: object, headers = {}) =>
  api.app.inject({ method: 'POST', url, payload, headers })

type Errors = { errors: { pointer: string }[] }

describe('POST /send-notification', () => {
  const send = (payload: object, headers = {}) => post('/send-notification', payload, headers)

  it('takes the documented body, and answers 200 with an id that can be read', async () => {
    const response = await send({
      type: 'email',
      recipient: 'user@example.com',
      subject: 'Test Email',
      message: 'This is a test notification',
    })
    expect(response.statusCode).toBe(200)
    const { id, ...rest } = response.json<{ id: string }>()
    expect(rest).toEqual({ status: 'queued', message: 'Notification queued.' })
    expect(parseNotificationId(api.keys, 'default', id)).toBe(api.requests()[0]!.id)
    expect(api.requests()[0]).toMatchObject({
      to: [{ email: 'user@example.com' }],
      channels: ['email'],
      content: { subject: 'Test Email', text: 'This is a test notification' },
    })
  })

  it.each([
    ['sms', '+15550100', { phone: '+15550100' }, 'sms'],
    ['in-app', 'u1', { user_id: 'u1' }, 'inapp'],
    ['in_app', 'u1', { user_id: 'u1' }, 'inapp'],
    ['inapp', 'u1', { user_id: 'u1' }, 'inapp'],
    ['push', 'token', { device_token: 'token' }, 'push'],
    ['slack', '#ops', { slack_channel: '#ops' }, 'slack'],
    ['webhook', 'https://example.com/x', { webhook_url: 'https://example.com/x' }, 'webhook'],
  ])('sends %s', async (type, recipient, to, channel) => {
    const response = await send({ type, recipient, message: 'Hi', priority: 'unknown fields are ignored' })
    expect(response.statusCode).toBe(200)
    expect(api.requests()[0]).toMatchObject({ to: [to], channels: [channel], content: { text: 'Hi' } })
  })

  it.each<[object, string]>([
    [{ recipient: 'a@b.c', message: 'Hi' }, '/type'],
    [{ type: 'fax', recipient: 'a@b.c', message: 'Hi' }, '/type'],
    [{ type: 'email', recipient: 'ada', message: 'Hi' }, '/recipient'],
    [{ type: 'sms', recipient: '0155', message: 'Hi' }, '/recipient'],
    [{ type: 'email', recipient: 'a@b.c', message: ' ' }, '/message'],
    [{ type: 'email', recipient: 'a@b.c', subject: '', message: 'Hi' }, '/subject'],
    [{ type: 'email', recipient: 'a@b.c' }, '/message'],
  ])('refuses %j at its own field', async (body, pointer) => {
    const response = await send(body)
    expect(response.statusCode).toBe(422)
    expect(response.json<Errors>().errors.map((error) => error.pointer)).toEqual([pointer])
    expect(api.produced).toEqual([])
  })

  it('knows an Idempotency-Key', async () => {
    const body = { type: 'sms', recipient: '+15550100', message: 'Hi' }
    const first = await send(body, { 'idempotency-key': 'seed-1' })
    const second = await send(body, { 'idempotency-key': 'seed-1' })
    expect(second.body).toBe(first.body)
    expect(api.produced).toHaveLength(1)
  })

  it('does not say queued when it is not', async () => {
    api.broker.error = new BrokerError('unavailable', 'no')
    const response = await send({ type: 'sms', recipient: '+15550100', message: 'Hi' })
    expect(response.statusCode).toBe(503)
  })
})

describe('POST /notify', () => {
  it.each<[object, object]>([
    [
      { type: 'email', message: 'Hello!', email: 'user@example.com' },
      { to: [{ email: 'user@example.com' }], channels: ['email'] },
    ],
    [
      { type: 'sms', message: 'Hello!', phone: '+1234567890', user_id: 'user123' },
      { to: [{ phone: '+1234567890' }], channels: ['sms'], metadata: { user_id: 'user123' } },
    ],
    [
      { type: 'in_app', message: 'Hello!', user_id: 'user123' },
      { to: [{ user_id: 'user123' }], channels: ['inapp'] },
    ],
    [{ type: 'in_app', message: 'Hello!', user_id: 'u', email: null, other: 1 }, { to: [{ user_id: 'u' }] }],
  ])('takes %j', async (body, request) => {
    const response = await post('/notify', body)
    expect(response.statusCode).toBe(200)
    expect(response.json()).toEqual({ status: 'Notification queued.' })
    expect(api.requests()[0]).toMatchObject({ ...request, content: { text: 'Hello!' } })
  })

  it.each<[object, string]>([
    [{ type: 'email', message: 'Hi' }, 'Please provide an email address.'],
    [{ type: 'sms', message: 'Hi', phone: '+1234567890' }, 'Phone and user ID are needed for SMS.'],
    [{ type: 'sms', message: 'Hi', user_id: 'u' }, 'Phone and user ID are needed for SMS.'],
    [{ type: 'in_app', message: 'Hi', user_id: '' }, 'User ID is required for in-app notifications.'],
  ])('answers %j with a sentence, and 200', async (body, error) => {
    const response = await post('/notify', body)
    expect(response.statusCode).toBe(200)
    expect(response.json()).toEqual({ error })
    expect(api.produced).toEqual([])
  })

  it.each<[object, string]>([
    [{ message: 'Hi' }, '/type'],
    [{ type: 'email', email: 'user@example.com' }, '/message'],
    [{ type: 'email', message: 'Hi', email: 'user' }, '/email'],
    [{ type: 'sms', message: 'Hi', phone: '1', user_id: 'u' }, '/phone'],
  ])('refuses %j', async (body, pointer) => {
    const response = await post('/notify', body)
    expect(response.statusCode).toBe(422)
    expect(response.json<Errors>().errors.map((error) => error.pointer)).toEqual([pointer])
  })
})

describe('POST /api/v1/notifications', () => {
  const documented = {
    user_id: 'user123',
    template_id: 'welcome',
    channels: ['push', 'email'],
    data: { username: 'john_doe' },
  }

  it('takes the documented body', async () => {
    const response = await post('/api/v1/notifications', documented)
    expect(response.statusCode).toBe(202)
    const { id, notification_id, status } = response.json<Record<string, string>>()
    expect(status).toBe('accepted')
    expect(notification_id).toBe(id)
    expect(response.headers.location).toBe(`/v1/notifications/${id}`)
    expect((await api.app.inject(`/v1/notifications/${id}`)).statusCode).toBe(200)
    expect(api.requests()[0]).toMatchObject({
      to: [{ user_id: 'user123' }],
      template: { name: 'welcome', revision: 'r1' },
      channels: ['push', 'email'],
      data: { username: 'john_doe' },
    })
  })

  it('uses every channel of the template when it is told none, and types by their older names', async () => {
    await post('/api/v1/notifications', { ...documented, channels: undefined })
    await post('/api/v1/notifications', { ...documented, channels: ['in_app', 'inapp'] })
    expect(api.requests().map(({ channels }) => channels)).toEqual([['email', 'push', 'inapp'], ['inapp']])
  })

  it.each<[object, string]>([
    [{ ...documented, template_id: 'nope' }, '/template_id'],
    [{ ...documented, user_id: '' }, '/user_id'],
    [{ ...documented, channels: ['fax'] }, '/channels/0'],
    [{ ...documented, channels: ['in_app', 'inapp', 'fax'] }, '/channels/2'],
    [{ ...documented, channels: ['constructor'] }, '/channels/0'],
    [{ ...documented, data: {} }, '/data/username'],
    [{ template_id: 'welcome' }, '/user_id'],
  ])('refuses %j', async (body, pointer) => {
    const response = await post('/api/v1/notifications', body)
    expect(response.statusCode).toBe(422)
    expect(response.json<Errors>().errors.map((error) => error.pointer)).toEqual([pointer])
  })
})

it('GET /notifications/{user_id} answers for a user without messages', async () => {
  const response = await api.app.inject('/notifications/nobody')
  expect(response.json()).toEqual({ user_id: 'nobody', messages: [] })
})

it('GET /health', async () => {
  expect((await api.app.inject('/health')).json()).toEqual({ status: 'ok' })
})
