import { createServer, type Socket } from 'node:net'
import { type Loopback, listen } from './loopback.ts'

/** Steps of an SMTP session in their order. `body` is the moment the message begins to arrive, `end` its final dot. */
export const steps = ['connect', 'EHLO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'body', 'end'] as const

export type Step = (typeof steps)[number]

/** What a server does at a step: it answers with a line or half of one, closes, resets, or says no more. */
export type Action = { reply: string } | { half: string } | 'close' | 'reset' | 'silence'

export interface ScriptedServer extends Loopback {
  /** Command lines it got, in order. */
  commands: string[]
  /** Messages that arrived up to their final dot and were taken. */
  arrivals: string[]
  /** Resolves when the scripted step is reached for the first time. */
  reached: Promise<void>
}

const usual: Partial<Record<Step, string>> = {
  connect: '220 ready',
  EHLO: '250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN',
  STARTTLS: '454 no TLS here',
  DATA: '354 go on',
}

/** A mail server that does as it should until `step`, and then what `action` says: what no real server does on demand. */
export async function startScriptedServer(step: Step, action: Action): Promise<ScriptedServer> {
  const commands: string[] = []
  const arrivals: string[] = []
  const { promise: reached, resolve } = Promise.withResolvers<void>()

  /** Whether the session goes on. */
  function act(socket: Socket, at: Step): boolean {
    if (at !== step) {
      if (at === 'end') arrivals.push('taken')
      if (at !== 'body') socket.write(`${usual[at] ?? '250 fine'}\r\n`)
      return true
    }
    resolve()
    if (action === 'close') socket.end()
    else if (action === 'reset') socket.resetAndDestroy()
    else if (action === 'silence') return false
    else if ('half' in action) socket.end(action.half)
    // RFC 5321 3.8: after a 421 the server closes.
    else if (action.reply.startsWith('421')) socket.end(`${action.reply}\r\n`)
    else socket.write(`${action.reply}\r\n`)
    return typeof action === 'object' && 'reply' in action
  }

  const server = createServer((socket) => {
    let pending = ''
    let inMessage = false
    let alive = act(socket, 'connect')
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      pending += chunk
      for (let end = pending.indexOf('\r\n'); alive && end >= 0; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        if (inMessage) {
          alive = act(socket, line === '.' ? 'end' : 'body')
          inMessage = line !== '.'
        } else if (line === 'QUIT') {
          socket.end('221 bye\r\n')
        } else {
          commands.push(line)
          alive = act(socket, stepOf(line))
          inMessage = line === 'DATA' && step !== 'DATA'
        }
      }
    })
  })
  return { ...(await listen(server)), commands, arrivals, reached }
}

function stepOf(line: string): Step {
  const verb = line.split(' ', 1)[0]!
  return verb === 'HELO' ? 'EHLO' : (steps.find((step) => step === verb) ?? 'connect')
}
