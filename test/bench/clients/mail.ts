/**
 * What mail costs at the least: a pool of nodemailer with a message for each connection at all times, in a process of its own:
 * `mail.ts PORT CONNECTIONS COUNT`. Sends half as many first, uncounted. Prints a {@link MailSample} as JSON.
 */
import { createTransport } from 'nodemailer'

export interface MailSample {
  mailsPerSecond: number
  /** Microseconds of CPU for each. */
  cpu: number
}

const [port, connections, count] = process.argv.slice(2).map(Number)
if (count === undefined) throw new Error('usage: mail.ts PORT CONNECTIONS COUNT')
const transport = createTransport({
  pool: true,
  host: '127.0.0.1',
  port,
  ignoreTLS: true,
  maxConnections: connections,
  maxMessages: 1000,
})

await send(count / 2)
const cpuBefore = process.cpuUsage()
const startedAt = performance.now()
await send(count)
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage(cpuBefore)
transport.close()
const sample: MailSample = { mailsPerSecond: count / seconds, cpu: (user + system) / count }
process.stdout.write(JSON.stringify(sample))

async function send(mails: number): Promise<void> {
  let sent = 0
  const sendAll = async () => {
    while (sent < mails) {
      const to = `user-${sent++}@example.com`
      await transport.sendMail({
        from: 'Shop <shop@example.com>',
        to,
        subject: 'Your order',
        text: 'It is on its way.',
      })
    }
  }
  await Promise.all(Array.from({ length: connections! }, sendAll))
}
