import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Mailbox } from './mailbox.ts'

export const webhookPath = '/dev/webhook'

/** Milliseconds that a signature stays good, either way: what the reference libraries of Standard Webhooks allow. */
const tolerance = 5 * 60_000

export interface WebhookReceiverOptions {
  mailbox: Mailbox
  /** The signing secret of the sample channel: one, or several separated by spaces while it is being rotated. */
  secret: () => string | undefined
  clock: { now(): number }
}

/** `POST /dev/webhook`: what a receiver of ours has to do. Answers 204, or 401 where the signature does not hold. */
export async function webhookReceiver(app: FastifyInstance, options: WebhookReceiverOptions): Promise<void> {
  // The signature is over the bytes, so nothing may parse them first.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post(webhookPath, { schema: { hide: true } }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const problem = verify(request.headers, body, options)
    const messageId = request.headers['webhook-id']
    options.mailbox.add({
      channel: 'webhook',
      to: `${request.protocol}://${request.host}${webhookPath}`,
      data: readJson(body),
      verified: problem === undefined,
      ...(problem !== undefined && { problem }),
      ...(typeof messageId === 'string' && { messageId }),
    })
    return reply.code(problem === undefined ? 204 : 401).send()
  })
}

/**
 * Checks a request as https://www.standardwebhooks.com says: HMAC-SHA256 over `id.timestamp.body`, any of the signatures
 * by any of the secrets. Returns what is wrong, or `undefined`.
 */
function verify(
  headers: IncomingHttpHeaders,
  body: Buffer,
  { secret, clock }: WebhookReceiverOptions,
): string | undefined {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => headers[name],
  )
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string')
    return 'it is not signed'
  if (!/^\d{1,12}$/.test(timestamp)) return 'its timestamp is no number'
  if (Math.abs(clock.now() - Number(timestamp) * 1000) > tolerance)
    return 'its timestamp is more than five minutes off'
  const given = signatures
    .split(' ')
    .flatMap((part) => (part.startsWith('v1,') ? [Buffer.from(part.slice(3), 'base64')] : []))
  const expected = (secret() ?? '')
    .split(' ')
    .filter(Boolean)
    .map((key) => {
      const bytes = Buffer.from(key.replace(/^whsec_/, ''), 'base64')
      return createHmac('sha256', bytes).update(`${id}.${timestamp}.`).update(body).digest()
    })
  const holds = expected.some((one) =>
    given.some((other) => other.length === one.length && timingSafeEqual(one, other)),
  )
  return holds ? undefined : 'its signature does not hold'
}

function readJson(body: Buffer): unknown {
  const text = body.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
