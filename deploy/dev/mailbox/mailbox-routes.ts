import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Caught, Mailbox } from './mailbox.ts'
import { mailboxScript, mailboxStyle, renderCaught, renderMailbox } from './mailbox-page.ts'

export const mailboxPath = '/dev/mailbox'

/** Nothing but our own style and script; frames hold mail, which gets a stricter policy of its own. */
const pagePolicy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Mail may look as it likes, but runs nothing, loads nothing, and has an origin of its own. */
const mailPolicy =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

const hidden = { schema: { hide: true } }

/** `/dev/mailbox`, and the same as JSON. */
export async function mailboxRoutes(app: FastifyInstance, { mailbox }: { mailbox: Mailbox }): Promise<void> {
  const boot = randomUUID()
  const streams = new Set<ServerResponse>()

  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
  })
  app.get(mailboxPath, hidden, async (_request, reply) =>
    reply
      .header('content-security-policy', pagePolicy)
      .type('text/html; charset=utf-8')
      .send(renderMailbox(mailbox.list(), boot)),
  )
  app.get(`${mailboxPath}.css`, hidden, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').send(mailboxStyle),
  )
  app.get(`${mailboxPath}.js`, hidden, async (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(mailboxScript),
  )
  app.get(`${mailboxPath}.json`, hidden, async () => ({ messages: mailbox.list() }))
  app.get<{ Params: { id: string } }>(
    `${mailboxPath}/:id(^\\d{1,9}).html`,
    hidden,
    async (request, reply) => {
      const html = mailbox.find(Number(request.params.id))?.html
      if (html === undefined) return reply.code(404).send()
      return reply.header('content-security-policy', mailPolicy).type('text/html; charset=utf-8').send(html)
    },
  )

  // No HEAD: it would ask for the head of what never ends.
  const stream = { ...hidden, exposeHeadRoute: false }
  app.get<{ Querystring: { after?: string } }>(`${mailboxPath}/events`, stream, (request, reply) => {
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    const after = Number(request.headers['last-event-id'] ?? request.query.after ?? 0)
    raw.write(`event: hello\ndata: ${boot}\n\n`)
    const missed = mailbox.list().filter(({ id }) => id > after)
    for (const caught of missed.toReversed()) raw.write(toEvent(caught))
    const unsubscribe = mailbox.onCaught((caught) => raw.write(toEvent(caught)))
    streams.add(raw)
    raw.on('close', () => {
      unsubscribe()
      streams.delete(raw)
    })
  })
  // An open page must not keep the server from closing.
  app.addHook('preClose', async () => {
    for (const stream of streams) stream.end()
  })
}

function toEvent(caught: Caught): string {
  // All three end a line of an event stream, and so may what a message says.
  const data = renderCaught(caught)
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('')
  return `id: ${caught.id}\nevent: caught\n${data}\n`
}
