import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { callbackify } from 'node:util'
import PostalMime from 'postal-mime'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'
import type { Caught, Mailbox } from './mailbox.ts'

const host = '127.0.0.1'
const maxMailBytes = 5_000_000

type Incoming = Readable & { sizeExceeded?: boolean }

export interface MailCatcher {
  host: string
  port: number
  close(): Promise<void>
}

/** A mail server on a free loopback port that delivers everything to the mailbox and nothing anywhere else. */
export async function startMailCatcher(mailbox: Mailbox): Promise<MailCatcher> {
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    size: maxMailBytes,
    onData: callbackify(async (stream: Incoming, session: SMTPServerSession) => {
      const recipients = session.envelope.rcptTo.map(({ address }) => address)
      return `caught as ${mailbox.add(await readMail(stream, recipients)).id}`
    }),
  })
  // A client that breaks off is its own business; without a listener it would end the process.
  server.on('error', () => {})
  server.listen(0, host)
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return { host, port, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

async function readMail(
  stream: Incoming,
  recipients: readonly string[],
): Promise<Omit<Caught, 'id' | 'caughtAt'>> {
  const raw = await buffer(stream)
  if (stream.sizeExceeded) throw Object.assign(new Error('the mail is too large'), { responseCode: 552 })
  const mail = await PostalMime.parse(raw)
  return {
    channel: 'email',
    to: recipients.join(', '),
    ...(mail.from?.address !== undefined && { from: formatMailbox(mail.from.name, mail.from.address) }),
    ...(mail.subject !== undefined && { title: mail.subject }),
    ...(mail.text !== undefined && { text: mail.text.trimEnd() }),
    ...(mail.html !== undefined && { html: mail.html }),
    ...(mail.messageId !== undefined && { messageId: mail.messageId }),
  }
}

function formatMailbox(name: string, address: string): string {
  return name === '' ? address : `${name} <${address}>`
}
