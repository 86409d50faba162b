import { isDeepStrictEqual } from 'node:util'
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, type Dispatcher } from 'undici'
import type { Clock } from '../../../core/clock.ts'
import { ApiError } from './api-error.ts'

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  path: string
  body?: object
  contentType?: string
  accept?: string
  /** Milliseconds without a byte after which the answer is given up. */
  silence?: number
}

/** Milliseconds for a request that answers at once. A hung API server must not hold a worker longer. */
const requestTimeout = 30_000
/** Milliseconds for which credentials are taken as they are: tokens and certificates are renewed in files. */
const credentialsAge = 60_000

interface Credentials {
  readAt: number
  headers: Record<string, string>
  agent: Agent
  tls: Tls
}

interface Tls {
  ca: RequestOptions['ca']
  cert: RequestOptions['cert']
  key: RequestOptions['key']
  servername: string | undefined
  rejectUnauthorized: boolean | undefined
}

/** How requests get to an API server. */
export type Requests = Pick<Connection, 'ask' | 'open'>

/**
 * The connections to one API server. The client library knows kubeconfigs, tokens and certificates; requests go through one pool, because the
 * library itself opens a connection for each call and ends a watch that is quiet for 30 s.
 */
export class Connection {
  readonly #config: KubeConfig
  readonly #clock: Clock
  readonly #origin: string
  #credentials: Credentials | undefined
  /** One reading at a time, however many requests wait for it: each one makes a pool. */
  #reading: Promise<Credentials> | undefined
  readonly #closing = new AbortController()

  constructor(config: KubeConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
    this.#origin = config.getCurrentCluster()!.server.replace(/\/$/, '')
  }

  /** Asks; resolves with the body still to be read. Rejects with an ApiError for every status but 2xx. */
  async open(request: ApiRequest, signal?: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { headers, agent } = await this.#fresh()
    const url = new URL(this.#origin + request.path)
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: request.method,
      headers: {
        ...headers,
        // Who asks, for the audit log and for priority and fairness.
        'user-agent': 'carillon-operator',
        accept: request.accept ?? 'application/json',
        ...(request.body && { 'content-type': request.contentType ?? 'application/json' }),
      },
      ...(request.body && { body: JSON.stringify(request.body) }),
      headersTimeout: requestTimeout,
      bodyTimeout: request.silence ?? requestTimeout,
      signal: signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal,
    })
    if (response.statusCode < 300) return response
    throw await toError(response, `${request.method} ${request.path}`)
  }

  /** Asks, and reads the answer. */
  async ask<T>(request: ApiRequest, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(requestTimeout)
    const response = await this.open(request, signal ? AbortSignal.any([signal, limit]) : limit)
    return (await response.body.json()) as T
  }

  async close(): Promise<void> {
    await this.#reading?.catch(() => undefined)
    // Also what is under way on a pool whose credentials were replaced.
    this.#closing.abort()
    await this.#credentials?.agent.destroy()
  }

  #fresh(): Promise<Credentials> | Credentials {
    const known = this.#credentials
    if (known !== undefined && this.#clock.monotonic() - known.readAt < credentialsAge) return known
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<Credentials> {
    const before = this.#credentials
    const options: RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    const { ca, cert, key, servername, rejectUnauthorized } = options
    const tls = { ca, cert, key, servername, rejectUnauthorized }
    const agent = before !== undefined && isDeepStrictEqual(before.tls, tls) ? before.agent : newAgent(tls)
    // What is under way on the old connections ends by itself.
    if (before !== undefined && before.agent !== agent) void before.agent.close()
    const headers = { ...(options.headers as Record<string, string>) }
    if (typeof options.auth === 'string')
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
    this.#credentials = { readAt: this.#clock.monotonic(), headers, agent, tls }
    return this.#credentials
  }
}

function newAgent({ ca, cert, key, servername, rejectUnauthorized }: Tls): Agent {
  // As many connections as there are watches and workers. Not HTTP/2: a pool of undici (8.12) that is destroyed soon after the abort of its
  // requests throws ClientDestroyedError where nobody can catch it, and a stop would look like a crash.
  return new Agent({
    allowH2: false,
    connect: {
      timeout: 10_000,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    },
  })
}

async function toError(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  asked: string,
): Promise<ApiError> {
  const text = await body.text()
  const plain = `${asked} was answered with status ${statusCode}`
  const seconds = Number(headers['retry-after'])
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string }
    return new ApiError(statusCode, reason ?? '', message ?? plain, retryAfter)
  } catch {
    return new ApiError(statusCode, '', plain, retryAfter)
  }
}
