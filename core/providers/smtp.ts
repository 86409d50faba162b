import type { Readable } from 'node:stream'
import { createTransport, type NodemailerError, type SendMailOptions } from 'nodemailer'
import addressparser from 'nodemailer/lib/addressparser'
import { encodeWord } from 'nodemailer/lib/mime-funcs'
import { z } from 'zod'
import type { FailureClass } from '../notification/failure.ts'
import type { EmailMessage } from '../notification/message.ts'
import { mailboxPattern } from '../notification/recipient.ts'
import { defineProvider, type NotSent, type Outcome } from './provider.ts'

const mailbox = z
  .string()
  .max(320)
  .refine(
    (text) => parseMailbox(text) !== undefined,
    'must be one mailbox, such as Acme <no-reply@acme.example>',
  )

const settings = z.strictObject({
  host: z.string().min(1).max(253).describe('Name or address of the mail server.'),
  port: z.int().min(1).max(65535).default(587).describe('Port of the mail server.'),
  tls: z
    .enum(['None', 'StartTLS', 'TLS'])
    .default('StartTLS')
    .describe(
      '`StartTLS` upgrades the connection, and sends nothing if the server cannot. `TLS` encrypts from the first byte (port 465). `None` sends in the clear, the password included.',
    ),
  from: mailbox.describe('Mailbox of the From header and the envelope: `Acme <no-reply@acme.example>`.'),
  replyTo: mailbox.optional().describe('Mailbox that answers go to.'),
})

type Settings = z.output<typeof settings>

/** Mail over SMTP, on connections that are kept. */
export const smtp = defineProvider({
  type: 'smtp',
  description: 'Sends e-mail over SMTP.',
  channelTypes: ['email'],
  settings,
  secrets: [
    { key: 'username', description: 'User name, if the server wants a login.', required: false },
    { key: 'password', description: 'Password of `username`; one needs the other.', required: false },
  ],
  idempotency: 'none',

  open({ settings, secret, maxConcurrent }) {
    const from = parseMailbox(settings.from)!
    const replyTo = settings.replyTo === undefined ? undefined : parseMailbox(settings.replyTo)
    const domain = from.address.slice(from.address.lastIndexOf('@') + 1)
    const pools = new Set<Pool>()
    let current: Pool | undefined
    let closed = false

    /** The pool of these credentials. After a rotation the old one ends with the last of its sends. */
    function poolFor(login: Login | undefined): Pool {
      const key = JSON.stringify(login ?? null)
      if (current?.key === key) return current
      const retired = current
      current = { key, transport: createPool(settings, login, maxConcurrent), sending: 0 }
      pools.add(current)
      if (retired) closeIfDone(retired)
      return current
    }

    function closeIfDone(pool: Pool): void {
      if (pool === current || pool.sending > 0) return
      pool.transport.close()
      pools.delete(pool)
    }

    return {
      async send(message, context, signal) {
        if (message.type !== 'email') throw new TypeError(`smtp cannot send ${message.type}`)
        if (closed) return { class: 'not_sent', code: 'closed', detail: 'the provider is closed' }
        const fault = findFault(message)
        if (fault) return fault
        const user = secret('username')
        const pass = secret('password')
        if ((user === undefined) !== (pass === undefined)) {
          return { class: 'auth', code: 'incomplete_login', detail: 'username and password need each other' }
        }

        const pool = poolFor(user !== undefined && pass !== undefined ? { user, pass } : undefined)
        const progress: Progress = {}
        const messageId = `${context.deliveryId}@${domain}`
        const mail: TrackedMail = {
          messageId: `<${messageId}>`,
          from,
          ...(replyTo && { replyTo }),
          to: { name: '', address: message.to },
          // What looks like an encoded word (RFC 2047) would be sent as it is, and be read as what it decodes to.
          subject: message.subject.includes('=?') ? encodeWord(message.subject, 'B', 52) : message.subject,
          ...(message.text !== undefined && { text: message.text }),
          ...(message.html !== undefined && { html: message.html }),
          headers: { 'Auto-Submitted': 'auto-generated' },
          xMailer: false,
          signal,
          progress,
        }
        pool.sending += 1
        try {
          const info = await pool.transport.sendMail(mail)
          return { class: 'sent', providerMessageId: info.serverMessageId ?? messageId }
        } catch (error) {
          return outcomeFromError(error as NodemailerError, progress.body?.readableDidRead ?? false)
        } finally {
          pool.sending -= 1
          closeIfDone(pool)
        }
      },

      async close() {
        closed = true
        for (const { transport } of pools) transport.close({ force: true })
        pools.clear()
      },
    }
  },
})

interface Login {
  user: string
  pass: string
}

interface Pool {
  key: string
  transport: ReturnType<typeof createPool>
  sending: number
}

/** What one send shows of itself: `body` is read from the moment the server said 354, and not before. */
interface Progress {
  body?: Readable
}

type TrackedMail = SendMailOptions & { progress: Progress }

function createPool({ host, port, tls }: Settings, login: Login | undefined, maxConnections: number) {
  const transport = createTransport({
    pool: true,
    host,
    port,
    secure: tls === 'TLS',
    requireTLS: tls === 'StartTLS',
    ignoreTLS: tls === 'None',
    auth: login,
    maxConnections,
    maxMessages: 1000,
    // Only a message of which no byte was sent goes to another connection: the server had closed the idle one.
    maxRequeues: 1,
    // Milliseconds for everything up to the end of STARTTLS. Within it, and for all the rest, the signal of the send decides.
    connectionTimeout: 30_000,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  transport.use('stream', (mail, done) => {
    const { progress } = mail.data as TrackedMail
    mail.message.processFunc((body) => (progress.body = body))
    done()
  })
  return transport
}

function findFault({ to, subject }: EmailMessage): NotSent | undefined {
  if (/[\r\n\0]/.test(to) || /[\r\n\0]/.test(subject)) {
    return { class: 'poison', code: 'header_injection', detail: 'a header would hold a line break or NUL' }
  }
  if (!mailboxPattern.test(to))
    return { class: 'rejected', code: 'invalid_address', detail: 'the address is no mailbox' }
  return undefined
}

function parseMailbox(text: string): { name: string; address: string } | undefined {
  if (/\p{Cc}/u.test(text)) return undefined
  const [{ name, address = '' } = {}, ...others] = addressparser(text)
  return others.length === 0 && mailboxPattern.test(address) ? { name: name ?? '', address } : undefined
}

/** @param bodyStarted whether the server may have got any of the message */
function outcomeFromError(error: NodemailerError, bodyStarted: boolean): Outcome {
  const { code = error.name, command = 'CONN', response = '', responseCode } = error
  // With EMESSAGE the server answered the whole message. RFC 5321 4.2.5: after a 4yz or 5yz it must not deliver it.
  if (responseCode !== undefined && responseCode >= 400 && (!bodyStarted || code === 'EMESSAGE')) {
    const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1]
    return {
      class: classOfReply(responseCode, enhanced, command),
      code: String(responseCode),
      detail: `SMTP ${[responseCode, enhanced, 'to', command].filter(Boolean).join(' ')}`,
    }
  }
  const cause = code === 'EABORT' ? 'aborted' : (error.originalCode ?? code)
  if (bodyStarted) return { class: 'maybe_sent', code: cause, detail: `no answer to the message: ${cause}` }
  if (code === 'EAUTH')
    return { class: 'auth', code: cause, detail: 'no way of login that the server offers' }
  if (code === 'EENVELOPE' && responseCode === undefined)
    return { class: 'rejected', code: cause, detail: 'the envelope is not valid' }
  return { class: 'not_sent', code: cause, detail: `ended before the message: ${cause}` }
}

const loginReplies: ReadonlySet<number> = new Set([530, 534, 535, 538])
const messageCommands: ReadonlySet<string> = new Set(['MAIL FROM', 'RCPT TO', 'DATA'])

/** RFC 5321 4.2.1, RFC 4954 6, and RFC 3463 for `enhanced`, whose 4.7.z is how servers say greylisted or too fast. */
function classOfReply(reply: number, enhanced: string | undefined, command: string): FailureClass {
  const aboutMessage = messageCommands.has(command)
  if (loginReplies.has(reply) || (reply >= 500 && command.startsWith('AUTH'))) return 'auth'
  if (reply === 421 || reply === 450) return 'rate_limited'
  if (reply >= 400 && reply < 500 && aboutMessage && enhanced?.startsWith('4.7.')) return 'rate_limited'
  // A 5yz to the greeting, EHLO or STARTTLS turns us away; of the message it says nothing, so it does not fail for it.
  return reply >= 500 && aboutMessage ? 'rejected' : 'not_sent'
}
