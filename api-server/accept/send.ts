import type { Context } from '@opentelemetry/api'
import type { Kysely } from 'kysely'
import { BrokerError, type Producer } from '../../core/broker/broker.ts'
import { hashOfJson } from '../../core/canonical-json.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock } from '../../core/clock.ts'
import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import {
  type InstallKeys,
  newNotificationId,
  notificationIdFromKey,
  recordKey,
} from '../../core/notification/ids.ts'
import { canonicalRecipient } from '../../core/notification/recipient.ts'
import { requestsTopic } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { startSending } from '../../core/observability/messaging-spans.ts'
import { failureName } from '../../core/observability/tracing.ts'
import type { RecordedRequest } from '../../core/store/notifications.ts'
import type { Database } from '../../core/store/schema.ts'
import { invalidRequest, type Problem } from '../http/problem.ts'
import type { ApiMetrics } from '../observability/metrics.ts'
import { accept } from './accept.ts'
import type { CheckData } from './check-data.ts'
import { createRepeats, type Verdict } from './repeats.ts'
import type { SendRequest } from './send-request.ts'

export interface SendOptions {
  catalog: Catalog
  checkData: CheckData
  producer: Producer
  db: Kysely<Database>
  keys: InstallKeys
  /** Prefix of the install's topics. */
  prefix: string
  clock: Clock
  /** Cryptographically random. */
  randomBytes: (size: number) => Buffer
  metrics: ApiMetrics
  logger: Logger
}

export interface SendCall {
  tenant: string
  /** Its form is known to be right. */
  request: SendRequest
  idempotencyKey: string | undefined
  /** What the request is a part of. */
  trace: Context
}

export type SendResult =
  | { kind: 'accepted'; id: string; request: RecordedRequest; repeated: boolean }
  | { kind: 'refused'; problem: Problem }

export type Send = (call: SendCall) => Promise<SendResult>

const conflict: Problem = {
  status: 422,
  code: 'idempotency_conflict',
  detail: 'This Idempotency-Key came with another request before.',
}

/** Accepts a request: judged by the catalog, told from a repeat, and durable before the answer. */
export function createSend(options: SendOptions): Send {
  const { clock, randomBytes } = options
  const once = createRepeats(options)
  return async (call) => {
    const bodyHash = hashOfJson(call.request)
    const { idempotencyKey: key, tenant } = call
    const now = clock.now()
    const id =
      key === undefined ? newNotificationId(now, randomBytes(10)) : notificationIdFromKey(tenant, key)
    const run = () => acceptAndProduce(options, { ...call, id, bodyHash, now })
    const verdict = key === undefined ? await run() : await once(id, bodyHash, run)
    switch (verdict.kind) {
      case 'accepted':
        return { kind: 'accepted', id, request: verdict.request, repeated: verdict.repeated }
      case 'conflict':
        return { kind: 'refused', problem: conflict }
      case 'refused':
        return { kind: 'refused', problem: verdict.refusal }
    }
  }
}

async function acceptAndProduce(
  { catalog, checkData, producer, keys, prefix, clock, metrics, logger }: SendOptions,
  { tenant, request, trace, id, bodyHash, now }: SendCall & { id: string; bodyHash: string; now: number },
): Promise<Verdict<Problem>> {
  const acceptance = await accept(request, { catalog, checkData, tenant, now })
  if (acceptance.kind === 'not_ready') return { kind: 'refused', refusal: notReady }
  if (acceptance.kind === 'busy') return { kind: 'refused', refusal: overloaded }
  if (acceptance.kind === 'invalid') return { kind: 'refused', refusal: invalidRequest(acceptance.errors) }
  const { settled } = acceptance
  const envelope: RequestEnvelope = {
    ...settled,
    id,
    tenant,
    body_hash: bodyHash,
    to: request.to,
    metadata: request.metadata ?? {},
    accepted_at: new Date(now).toISOString(),
  }
  const topic = requestsTopic(prefix)
  const sending = startSending(topic, trace, { id })
  const startedAt = clock.monotonic()
  try {
    await producer.produce([
      { topic, key: keyOf(keys, envelope), ...encodeRequest(envelope, sending.headers) },
    ])
    sending.end()
  } catch (error) {
    sending.end(failureName(error))
    if (!(error instanceof BrokerError)) throw error
    metrics.produceErrors.inc({ code: error.code })
    logger.warn({ err: error }, 'Request not accepted')
    return { kind: 'refused', refusal: toProblem(error) }
  }
  metrics.produceDuration.observe((clock.monotonic() - startedAt) / 1000)
  for (const channel of settled.channels) metrics.accepted.inc({ namespace: tenant, channel })
  const { template } = settled
  return {
    kind: 'accepted',
    repeated: false,
    request: {
      bodyHash,
      acceptedAt: new Date(now),
      template: template && { name: template.name, revision: template.revision },
      channels: settled.channels.toSorted(),
    },
  }
}

/** What goes to one recipient stays in order; what goes to many is spread. */
function keyOf(keys: InstallKeys, { tenant, to, id }: RequestEnvelope): string {
  const [only, ...others] = to
  return only !== undefined && others.length === 0 ? recordKey(keys, tenant, canonicalRecipient(only)) : id
}

const overloaded: Problem = {
  status: 503,
  code: 'overloaded',
  detail: 'Too many requests are waiting.',
  retryAfter: 1,
}

const notReady: Problem = {
  status: 503,
  code: 'not_ready',
  detail: 'Channels and templates are still being loaded.',
  retryAfter: 1,
}

function toProblem({ code }: BrokerError): Problem {
  if (code === 'record_too_large')
    return { status: 413, code: 'payload_too_large', detail: 'The broker takes no request of this size.' }
  if (code === 'queue_full') return overloaded
  return {
    status: 503,
    code: 'broker_unavailable',
    detail: 'The request could not be stored.',
    retryAfter: 5,
  }
}
