import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import PostalMime from 'postal-mime'
import { type SMTPServerOptions, SMTPServer } from 'smtp-server'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { EmailMessage } from '../../../core/notification/message.ts'
import { smtp } from '../../../core/providers/smtp.ts'
import {
  certificate,
  impossibleName,
  type Loopback,
  listen,
  refusedPort,
  trustCertificate,
} from '../loopback.ts'
import {
  type Arrival,
  type Counterpart,
  type Fault,
  nextContext,
  open,
  type ProviderFixture,
  send,
} from '../provider.ts'
import { type Action, type Step, startScriptedServer, steps } from '../smtp-script.ts'

const secrets = { username: 'carillon', password: 'correct horse' }
const host = '127.0.0.1'
const from = 'Acme Übersee <no-reply@acme.example>'
const to = 'ada.lovelace@example.com'

function mail(address: string, text: string): EmailMessage {
  return { type: 'email', to: address, subject: 'Hello', text }
}

interface MailServer extends Loopback {
  settings: Record<string, unknown>
  arrivals: (Arrival & { headers: Record<string, string>; from: string; to: string[] })[]
  /** Passwords of the logins, in order. */
  logins: string[]
  /** Closes every connection, as a server does with idle ones. */
  drop(): void
}

/** A real mail server (npm smtp-server) with STARTTLS, a login, and our certificate unless told otherwise. */
async function startMailServer(
  options: SMTPServerOptions = {},
  identity: object = certificate,
): Promise<MailServer> {
  const arrivals: MailServer['arrivals'] = []
  const logins: string[] = []
  const server = new SMTPServer({
    ...identity,
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 1,
    authMethods: ['PLAIN'],
    onAuth({ username, password }, _session, done) {
      logins.push(password ?? '')
      if (username === secrets.username && password === secrets.password) done(null, { user: username })
      else done(Object.assign(new Error('no'), { responseCode: 535 }))
    },
    async onData(stream, { envelope }, done) {
      const parsed = await PostalMime.parse(await buffer(stream))
      const { subject = '', text = '', html = '' } = parsed
      arrivals.push({
        deliveryId: parsed.messageId?.match(/^<(.*)@acme\.example>$/)?.[1] ?? 'none',
        texts: { subject, text, html },
        headers: Object.fromEntries(parsed.headers.map(({ key, value }) => [key, value])),
        from: envelope.mailFrom ? envelope.mailFrom.address : '',
        to: envelope.rcptTo.map(({ address }) => address),
      })
      done()
    },
    ...options,
  })
  server.on('error', () => {})
  const { port, connections } = await listen(server.server)
  const loopback = {
    port,
    drop: () => server.connections.forEach((connection) => connection.close()),
    connections: () => ({ total: connections().total, open: server.connections.size }),
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
  return { ...loopback, settings: { host, port, tls: 'StartTLS', from }, arrivals, logins }
}

async function start(): Promise<Counterpart> {
  trustCertificate()
  return { ...(await startMailServer()), secrets, to }
}

async function arrangeScript(step: Step, action: Action) {
  const server = await startScriptedServer(step, action)
  const tls = step === 'STARTTLS' ? 'StartTLS' : 'None'
  return { ...server, settings: { host, port: server.port, tls, from }, secrets, to }
}

const close = async () => {}
const replies = [421, 450, 451, 452, 535, 550, 552, 554]
const sessionSteps: readonly Step[] = ['connect', 'EHLO', 'STARTTLS', 'AUTH']
const answeredSteps = steps.filter((step) => step !== 'body')

function expectedClass(step: Step, reply: number) {
  if (reply === 421 || reply === 450) return 'rate_limited'
  if (reply === 535 || (reply > 500 && step === 'AUTH')) return 'auth'
  return reply < 500 || sessionSteps.includes(step) ? 'not_sent' : 'rejected'
}

const faults: Fault[] = [
  {
    name: 'connection refused',
    arrange: async () => ({ to, settings: { host, port: await refusedPort(), from }, close }),
    expected: { class: 'not_sent', code: 'ECONNREFUSED' },
  },
  {
    name: 'a name that does not exist',
    arrange: async () => ({ to, settings: { host: impossibleName, from }, close }),
    expected: { class: 'not_sent' },
  },
  ...(['StartTLS', 'TLS'] as const).map((tls) => ({
    name: `a certificate that is not trusted, ${tls}`,
    // Without one of its own, smtp-server presents a certificate that it signed itself.
    arrange: async () => {
      const { settings, ...server } = await startMailServer({ secure: tls === 'TLS' }, {})
      return { ...server, settings: { ...settings, tls }, to }
    },
    expected: { class: 'not_sent' } as const,
  })),
  {
    name: 'a wrong password',
    arrange: async () => ({
      ...(await startMailServer()),
      to,
      secrets: { ...secrets, password: 'wrong horse' },
    }),
    expected: { class: 'auth', code: '535' },
  },
  {
    name: 'a user name without a password',
    arrange: async () => ({ ...(await startMailServer()), to, secrets: { username: 'carillon' } }),
    expected: { class: 'auth', code: 'incomplete_login' },
  },
  ...answeredSteps.flatMap((step) =>
    replies.map((reply) => ({
      name: `${reply} at ${step}`,
      arrange: () => arrangeScript(step, { reply: `${reply} no ${to} here` }),
      expected: { class: expectedClass(step, reply), code: String(reply) } as const,
    })),
  ),
  ...(
    [
      ['RCPT', '451 4.7.1 greylisted', 'rate_limited'],
      ['end', '452 4.7.28 too fast', 'rate_limited'],
      ['AUTH', '454 4.7.0 try later', 'not_sent'],
      ['MAIL', '530 5.7.0 log in first', 'auth'],
      ['RCPT', '550-5.1.1 not here\r\n550 5.1.1 really', 'rejected'],
      ['end', '354 what?', 'maybe_sent'],
      ['end', 'fine', 'maybe_sent'],
      ['connect', 'HTTP/1.1 400 Bad Request', 'not_sent'],
    ] as const
  ).map(([step, reply, failureClass]) => ({
    name: `${JSON.stringify(reply)} at ${step}`,
    arrange: () => arrangeScript(step, { reply }),
    expected: { class: failureClass },
  })),
  {
    name: 'half of a reply to the message',
    arrange: () => arrangeScript('end', { half: '554 5.7.1 we do n' }),
    expected: { class: 'maybe_sent' },
  },
  ...steps.flatMap((step) =>
    (['close', 'reset', 'silence'] as const).map((action) => ({
      name: `${action} at ${step}`,
      arrange: async () => {
        const { reached, ...server } = await arrangeScript(step, action)
        return action === 'silence' ? { ...server, stalled: reached } : server
      },
      expected: { class: step === 'body' || step === 'end' ? 'maybe_sent' : 'not_sent' } as const,
    })),
  ),
]

export const fixture: ProviderFixture = {
  example: { host: 'smtp.example.com', port: 587, tls: 'StartTLS', from, replyTo: 'help@acme.example' },
  slots: {
    text: mail,
    subject: (address, subject) => ({ type: 'email', to: address, subject, text: 'x' }),
    html: (address, html) => ({ type: 'email', to: address, subject: 'x', html }),
  },
  start,
  faults,
  specifics() {
    beforeAll(trustCertificate)

    async function startServer(...options: Parameters<typeof startMailServer>): Promise<MailServer> {
      const server = await startMailServer(...options)
      onTestFinished(server.close)
      return server
    }

    test('the mail has the headers and the envelope that the settings say', async () => {
      const { settings, arrivals } = await startServer()
      const provider = open(smtp, { settings: { ...settings, replyTo: 'Help <help@acme.example>' }, secrets })
      const context = nextContext()
      const outcome = await send(provider, { ...mail(to, 'plain'), html: '<p>rich</p>' }, context)
      expect(outcome).toEqual({ class: 'sent', providerMessageId: `${context.deliveryId}@acme.example` })
      expect(arrivals).toMatchObject([
        {
          from: 'no-reply@acme.example',
          to: [to],
          headers: {
            'message-id': `<${context.deliveryId}@acme.example>`,
            to,
            'reply-to': 'Help <help@acme.example>',
            'auto-submitted': 'auto-generated',
          },
        },
      ])
      expect(arrivals[0]!.headers['content-type']).toContain('multipart/alternative')
      expect(arrivals[0]!.headers).not.toHaveProperty('x-mailer')
      expect(arrivals[0]!.headers['from']).toMatch(/^=\?UTF-8\?.*\?= <no-reply@acme\.example>$/)
    })

    test('TLS from the first byte', async () => {
      const { settings, arrivals } = await startServer({ secure: true })
      const provider = open(smtp, { settings: { ...settings, tls: 'TLS' }, secrets })
      expect(await send(provider, mail(to, 'x'))).toMatchObject({ class: 'sent' })
      expect(arrivals).toHaveLength(1)
    })

    test('None: in the clear, to a server that wants no login', async () => {
      const { settings, arrivals, logins } = await startServer({ hideSTARTTLS: true, authOptional: true })
      const provider = open(smtp, { settings: { ...settings, tls: 'None' }, secrets: {} })
      expect(await send(provider, mail(to, 'x'))).toMatchObject({ class: 'sent' })
      expect([arrivals.length, logins]).toEqual([1, []])
    })

    test.each([
      ['offers no TLS', 'EHLO', '250 AUTH PLAIN'],
      ['cannot do it', 'STARTTLS', '502 what is that?'],
    ] as const)('StartTLS: neither login nor mail goes to a server that %s', async (_name, step, reply) => {
      const server = await startScriptedServer(step, { reply })
      onTestFinished(server.close)
      const provider = open(smtp, { settings: { host, port: server.port, from }, secrets })
      expect(await send(provider, mail(to, 'x'))).toMatchObject({ class: 'not_sent' })
      expect(server.commands.map((command) => command.split(' ')[0])).toEqual(['EHLO', 'STARTTLS'])
    })

    test('close waits for no server: none of our sockets is left half closed', async () => {
      const { promise: connected, resolve } = Promise.withResolvers<Socket>()
      const loopback = await listen(createServer({ allowHalfOpen: true }, resolve))
      onTestFinished(loopback.close)
      const provider = open(smtp, { settings: { host, port: loopback.port, from }, secrets })
      const sending = send(provider, mail(to, 'x'))
      const theirs = await connected
      theirs.resume().write('220 ready\r\n')
      await once(theirs, 'data')
      await provider.close()
      expect(await sending).toMatchObject({ class: 'not_sent' })
      // Bytes for a socket that is gone are answered with a reset; a half closed one would take them.
      const writeMore = () => {
        theirs.write('250 hello\r\n')
        return theirs.destroyed
      }
      await expect.poll(writeMore, { interval: 5 }).toBe(true)
    })

    test.each([
      ['poison', { to: 'a@example.com\r\nRCPT TO:<b@example.com>' }],
      ['poison', { subject: 'x\r\nBcc: b@example.com' }],
      ['poison', { subject: 'x\0y' }],
      ['rejected', { to: 'a@example.com, b@example.com' }],
      ['rejected', { to: 'Ada <a@example.com>' }],
      ['rejected', { to: 'a b@example.com' }],
      ['rejected', { to: '' }],
      ['rejected', { to: 'nobody' }],
    ] as const)('%s without a connection: %j', async (failureClass, part) => {
      const { settings, connections } = await startServer()
      const provider = open(smtp, { settings, secrets })
      expect(await send(provider, { ...mail(to, 'x'), ...part })).toMatchObject({ class: failureClass })
      expect(connections().total).toBe(0)
    })

    test.each([
      'no address',
      'a@x.example, b@x.example',
      'A <a@x.example>\r\nBcc: b@x.example',
      '',
      'group: a@x.example;',
    ])('refuses %j as the sender', (sender) =>
      expect(smtp.settings.safeParse({ host, from: sender }).success).toBe(false),
    )

    test('a connection that the server closed meanwhile costs nothing', async () => {
      const { settings, arrivals, connections, drop } = await startServer()
      const provider = open(smtp, { settings, secrets })
      for (const text of ['one', 'two']) {
        expect(await send(provider, mail(to, text))).toMatchObject({ class: 'sent' })
        drop()
        await expect.poll(() => connections().open, { interval: 5 }).toBe(0)
      }
      expect(arrivals).toHaveLength(2)
    })

    test('a new password is used at once, and sends with the old one finish', async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>()
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
      let waiting = true
      const server = await startServer({
        async onRcptTo(_address, _session, done) {
          if (waiting) {
            waiting = false
            reach()
            await released
          }
          done()
        },
        onAuth({ password }, _session, done) {
          server.logins.push(password ?? '')
          done(null, { user: 'carillon' })
        },
      })
      const held = { ...secrets }
      const provider = open(smtp, { settings: server.settings, secrets: held })
      const first = send(provider, mail(to, 'old'))
      await reached
      held.password = 'new horse'
      expect(await send(provider, mail(to, 'new'))).toMatchObject({ class: 'sent' })
      expect(server.connections().open).toBe(2)
      release()
      expect(await first).toMatchObject({ class: 'sent' })
      expect(server.logins).toEqual([secrets.password, 'new horse'])
      await expect.poll(() => server.connections().open, { interval: 5 }).toBe(1)
      expect(await send(provider, mail(to, 'again'))).toMatchObject({ class: 'sent' })
      expect(server.logins).toHaveLength(2)
    })

    test('a send that still waits for a connection can be stopped', async () => {
      const server = await startScriptedServer('RCPT', 'silence')
      onTestFinished(server.close)
      const provider = open(smtp, { settings: { host, port: server.port, tls: 'None', from }, secrets })
      const controller = new AbortController()
      const busy = Array.from({ length: 5 }, () => send(provider, mail(to, 'x')))
      await expect.poll(() => server.commands.filter((line) => line.startsWith('RCPT'))).toHaveLength(5)
      const queued = send(provider, mail(to, 'x'), nextContext(), controller.signal)
      controller.abort()
      expect(await queued).toMatchObject({ class: 'not_sent', code: 'aborted' })
      await provider.close()
      for (const outcome of await Promise.all(busy)) expect(outcome).toMatchObject({ class: 'not_sent' })
      expect(await send(provider, mail(to, 'x'))).toMatchObject({ class: 'not_sent', code: 'closed' })
    })
  },
}
