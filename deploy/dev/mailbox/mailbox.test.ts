import Fastify, { type FastifyInstance } from 'fastify'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { smtp } from '../../../core/providers/smtp.ts'
import { startMailCatcher } from './mail-catcher.ts'
import { type Caught, fromSandbox, Mailbox } from './mailbox.ts'
import { mailboxRoutes } from './mailbox-routes.ts'
import { webhookReceiver } from './webhook-receiver.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const otherSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const now = Date.parse('2026-11-21T12:00:00Z')

let mailbox: Mailbox
let app: FastifyInstance

beforeEach(async () => {
  const clock = { now: () => now }
  mailbox = new Mailbox(clock)
  app = Fastify()
  await app.register(mailboxRoutes, { mailbox })
  await app.register(webhookReceiver, { mailbox, secret: () => secret, clock })
})
afterEach(() => app.close())

test('the newest message is first, and only the last 500 are kept', async () => {
  for (let n = 1; n <= 501; n++) mailbox.add({ channel: 'sms', to: '+15550100', text: `${n}` })
  const { messages } = (await app.inject('/dev/mailbox.json')).json<{ messages: Caught[] }>()
  expect(messages).toHaveLength(500)
  expect(messages[0]).toEqual({
    id: 501,
    caughtAt: '2026-11-21T12:00:00.000Z',
    channel: 'sms',
    to: '+15550100',
    text: '501',
  })
  expect(messages.at(-1)?.id).toBe(2)
})

test('large messages push out older ones before memory is full', () => {
  for (let n = 1; n <= 12; n++)
    mailbox.add({ channel: 'email', to: 'a@example.com', html: 'x'.repeat(9_000_000) })
  expect(mailbox.list().map(({ id }) => id)).toEqual([12, 11, 10, 9, 8])
})

test('what a message says is text on the page, never markup', async () => {
  const nasty = '<script>alert(1)</script>" onload="x'
  mailbox.add({
    channel: 'push',
    to: nasty,
    from: nasty,
    title: nasty,
    text: nasty,
    data: { nasty },
    messageId: nasty,
  })
  const page = await app.inject('/dev/mailbox')
  expect(page.body).not.toContain('<script>alert')
  expect(page.body).not.toContain('" onload')
  expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*script-src 'self'/)
})

test('an HTML mail is shown in a sandboxed frame that can run and load nothing', async () => {
  mailbox.add({ channel: 'email', to: 'a@example.com', html: '<p>hello</p><script>alert(1)</script>' })
  expect((await app.inject('/dev/mailbox')).body).toMatch(
    /<iframe src="\/dev\/mailbox\/1\.html"[^>]* sandbox /,
  )
  const mail = await app.inject('/dev/mailbox/1.html')
  expect(mail.body).toContain('<p>hello</p>')
  expect(mail.headers['content-security-policy']).toMatch(/^sandbox; default-src 'none';/)
  expect((await app.inject('/dev/mailbox/2.html')).statusCode).toBe(404)
})

test('an open page is told what comes, and does not keep the server from closing', async () => {
  mailbox.add({ channel: 'sms', to: '+15550100', text: 'before' })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`${url}/dev/mailbox/events?after=0`)
  mailbox.add({ channel: 'sms', to: '+15550100', text: 'after\rid: 7\r\nevent: hello\nwards' })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let stream = ''
  while (!stream.includes('wards')) stream += (await reader.read()).value
  expect(stream.match(/^(id|event): .*$/gm)).toEqual([
    'event: hello',
    'id: 1',
    'event: caught',
    'id: 2',
    'event: caught',
  ])
  expect(stream).toContain('data: id: 7\ndata: event: hello\ndata: wards')
  expect(stream).not.toContain('\r')
  await app.close()
  expect((await reader.read()).done).toBe(true)
})

test('nobody waits for the head of the stream that an open page reads', async () => {
  expect((await app.inject({ method: 'HEAD', url: '/dev/mailbox/events' })).statusCode).toBe(404)
})

test.each<[string, Record<string, string>, number, object]>([
  ['signed', sign('{"a":1}'), 204, { verified: true, messageId: 'dlv_1', data: { a: 1 } }],
  [
    'signed also with a secret that is on its way out',
    both(sign('{"a":1}', otherSecret), sign('{"a":1}')),
    204,
    { verified: true },
  ],
  ['unsigned', {}, 401, { verified: false, problem: 'it is not signed' }],
  ['signed by somebody else', sign('{"a":1}', otherSecret), 401, { problem: 'its signature does not hold' }],
  ['changed on its way', sign('{"a":2}'), 401, { problem: 'its signature does not hold' }],
  [
    'old',
    sign('{"a":1}', secret, now - 301_000),
    401,
    { problem: 'its timestamp is more than five minutes off' },
  ],
  [
    'from the future',
    sign('{"a":1}', secret, now + 301_000),
    401,
    { problem: 'its timestamp is more than five minutes off' },
  ],
])('a webhook that is %s', async (_name, headers, status, caught) => {
  const payload = '{"a":1}'
  const answer = await app.inject({
    method: 'POST',
    url: '/dev/webhook',
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  })
  expect(answer.statusCode).toBe(status)
  expect(mailbox.list()[0]).toMatchObject({ channel: 'webhook', ...caught })
})

test.each([
  [
    { type: 'push', to: 't', title: 'T', body: 'B', data: { a: '1' } },
    { title: 'T', text: 'B', data: { a: '1' } },
  ],
  [{ type: 'sms', to: '+15550100', text: 'S' }, { text: 'S' }],
  [
    { type: 'slack', to: '#ops', text: 'S', blocks: [{ type: 'divider' }] },
    { text: 'S', data: [{ type: 'divider' }] },
  ],
] as const)('a sandboxed %j', (message, shown) => {
  expect(fromSandbox({ ...message } as Parameters<typeof fromSandbox>[0], 'dlv_1')).toEqual({
    channel: message.type,
    to: message.to,
    messageId: 'dlv_1',
    ...shown,
  })
})

test('mail that the provider sends over SMTP is decoded', async () => {
  const catcher = await startMailCatcher(mailbox)
  const provider = smtp.open({
    settings: { host: catcher.host, port: catcher.port, tls: 'None', from: 'Acme <no-reply@acme.example>' },
    secret: () => undefined,
    maxConcurrent: 1,
    clock: { now: () => now },
  })
  const message = {
    type: 'email',
    to: 'ada@example.com',
    subject: 'Grüße 🔔',
    text: 'Schön = gut\nzweite Zeile',
    html: '<p>Schön</p>',
  } as const
  const context = { deliveryId: 'dlv_1', deliveryUuid: '', tenant: 'default', attempt: 1 }
  try {
    const outcome = await provider.send(message, context, AbortSignal.timeout(10_000))
    expect(outcome.class).toBe('sent')
  } finally {
    await provider.close()
    await catcher.close()
  }
  expect(mailbox.list()).toEqual([
    {
      id: 1,
      caughtAt: '2026-11-21T12:00:00.000Z',
      channel: 'email',
      to: 'ada@example.com',
      from: 'Acme <no-reply@acme.example>',
      title: 'Grüße 🔔',
      text: 'Schön = gut\nzweite Zeile',
      html: expect.stringContaining('<p>Schön</p>') as string,
      messageId: '<dlv_1@acme.example>',
    },
  ])
})

function sign(body: string, by = secret, at = now): Record<string, string> {
  return {
    'webhook-id': 'dlv_1',
    'webhook-timestamp': `${Math.floor(at / 1000)}`,
    'webhook-signature': new Webhook(by).sign('dlv_1', new Date(at), body),
  }
}

function both(one: Record<string, string>, other: Record<string, string>): Record<string, string> {
  return { ...other, 'webhook-signature': `${one['webhook-signature']} ${other['webhook-signature']}` }
}
