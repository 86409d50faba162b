import ipaddr from 'ipaddr.js'
import { Agent } from 'undici'
import { z } from 'zod'
import packageJson from '../../package.json' with { type: 'json' }
import { mac, type MacKey, macKey } from '../notification/mac.ts'
import { post } from './http-exchange.ts'
import { outcomeFromHttp } from './http-outcome.ts'
import { defineProvider } from './provider.ts'
import { BlockedTarget, guardedConnector, parseTarget, ssrfBlocked } from './ssrf-guard.ts'

const network = z
  .string()
  .max(49)
  .refine((text) => ipaddr.isValidCIDR(text), 'must be a network such as 10.20.0.0/16 or fd00::/8')

/** Signed JSON to the recipient's URL, after Standard Webhooks (https://www.standardwebhooks.com). */
export const webhook = defineProvider({
  type: 'webhook',
  description: 'Posts JSON to the URL of the recipient, signed after Standard Webhooks.',
  channelTypes: ['webhook'],
  settings: z.strictObject({
    allowedNetworks: z
      .array(network)
      .max(32)
      .default([])
      .describe(
        'Networks (CIDR) that may be called though they are not public, also over plain http. With none, only public addresses over https are called.',
      ),
  }),
  secrets: [
    {
      key: 'secret',
      description:
        'Signing secret: `whsec_` and the base64 of 24 to 64 bytes. Several, separated by spaces, sign side by side during a rotation.',
      required: true,
    },
  ],
  // Receivers drop a `webhook-id` they have seen, as the specification tells them to.
  idempotency: 'key',
  destination(address) {
    const url = parseTarget(address)
    return url && `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`
  },

  open({ settings, secret, maxConcurrent, clock }) {
    const guard = guardedConnector(settings)
    const agent = new Agent({
      connect: guard.connect,
      connections: maxConcurrent,
      allowH2: false,
      // The signal of the send is the one limit of its time.
      headersTimeout: 0,
      bodyTimeout: 0,
    })

    const keysOf = secretParser()

    return {
      async send(message, context, signal) {
        if (message.type !== 'webhook') throw new TypeError(`webhook cannot send ${message.type}`)
        const keys = keysOf(secret('secret'))
        if (keys === undefined)
          return { class: 'auth', code: 'bad_secret', detail: 'the signing secret is missing or malformed' }
        const body = toJson(message.body)
        if (body === undefined)
          return { class: 'poison', code: 'not_json', detail: 'the body has no JSON form' }
        const url = parseTarget(message.to)
        if (url === undefined)
          return {
            class: 'rejected',
            code: 'invalid_url',
            detail: 'the address is no URL that may be called',
          }

        const timestamp = Math.floor(clock.now() / 1000)
        const headers = {
          'content-type': 'application/json',
          'user-agent': `Carillon/${packageJson.version}`,
          'webhook-id': context.deliveryId,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': keys
            .map((key) => sign(key, `${context.deliveryId}.${timestamp}.${body}`))
            .join(' '),
          // Its sibling tracestate stays here: in it stands what tracing systems of the house say to each other.
          ...(context.traceparent !== undefined && { traceparent: context.traceparent }),
        }
        const exchange = await post(agent, { url, headers, body }, signal)
        if (exchange.phase === 'not_sent' && exchange.error instanceof BlockedTarget) {
          return { class: 'rejected', code: ssrfBlocked, detail: exchange.error.message }
        }
        return outcomeFromHttp(exchange, clock.now())
      },

      async close() {
        guard.destroy()
        await agent.destroy()
      },
    }
  },
})

/** Reads secrets as {@link parseSecrets} does, and the same ones only once. */
function secretParser(): typeof parseSecrets {
  let last: { text: string | undefined; keys: MacKey[] | undefined } | undefined
  return (text) => {
    if (last === undefined || last.text !== text) last = { text, keys: parseSecrets(text) }
    return last.keys
  }
}

/** The keys of `whsec_…` secrets separated by white space, or `undefined` if there is none or one is malformed. */
function parseSecrets(text = ''): MacKey[] | undefined {
  const secrets = text.split(/\s+/).filter((part) => part !== '')
  const keys = secrets.map((part) => Buffer.from(part.replace(/^whsec_/, ''), 'base64'))
  const wellFormed = secrets.every((part) => /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(part))
  return wellFormed && keys.length > 0 && keys.every(({ length }) => length >= 24 && length <= 64)
    ? keys.map(macKey)
    : undefined
}

function sign(key: MacKey, content: string): string {
  return `v1,${mac(key, Buffer.from(content)).toString('base64')}`
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
