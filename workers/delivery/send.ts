import type { Clock, Timers } from '../../core/clock.ts'
import type { DeliveryEnvelope } from '../../core/notification/envelope.ts'
import { formatDeliveryId } from '../../core/notification/ids.ts'
import type { Message } from '../../core/notification/message.ts'
import type { Idempotency, Outcome, Provider } from '../../core/providers/provider.ts'
import type { DeliveryMetrics } from './metrics.ts'
import { inProviderSpan } from './trace-delivery.ts'

/** A provider of the channel, ready to send. */
export interface OpenedProvider {
  name: string
  /** Milliseconds one send may take. */
  timeout: number
  idempotency: Idempotency
  provider: Provider
}

export interface SendResult {
  outcome: Outcome
  provider: OpenedProvider
}

export interface SendOptions {
  /** In failover order. */
  providers: readonly OpenedProvider[]
  clock: Clock & Timers
  metrics: DeliveryMetrics
  /** Labels of the metrics. */
  channel: { namespace: string; channel: string }
}

const leaseTooShort: Outcome = {
  class: 'not_sent',
  code: 'lease_too_short',
  detail: 'the claim took so long that its lease would not cover the call',
}

/** Failures after which another provider may be asked: this one certainly did not take the message. */
const mayFailOver: ReadonlySet<Outcome['class']> = new Set(['not_sent', 'rate_limited', 'auth'])

/**
 * Sends through the first provider that takes the message. What the lease would not cover is not sent.
 */
export function createSend({ providers, clock, metrics, channel }: SendOptions) {
  return async (
    message: Message,
    envelope: DeliveryEnvelope,
    attempt: number,
    leaseEnd: number,
  ): Promise<SendResult> => {
    let result: SendResult = { outcome: leaseTooShort, provider: providers[0]! }
    for (const provider of providers) {
      // The lease is checked on a clock that does not jump, just before the call: a worker that was frozen must not send.
      if (clock.monotonic() + provider.timeout > leaseEnd) return result
      const startedAt = clock.monotonic()
      const outcome = await inProviderSpan({ ...channel, provider: provider.name }, (traceparent) =>
        callProvider(provider, message, { envelope, attempt, traceparent }, clock),
      )
      metrics.providerDuration.observe(
        { ...channel, provider: provider.name, outcome: outcome.class },
        (clock.monotonic() - startedAt) / 1000,
      )
      result = { outcome, provider }
      if (!mayFailOver.has(outcome.class)) return result
    }
    return result
  }
}

interface Call {
  envelope: DeliveryEnvelope
  attempt: number
  traceparent: string | undefined
}

async function callProvider(
  { provider, timeout }: OpenedProvider,
  message: Message,
  { envelope, attempt, traceparent }: Call,
  clock: Timers,
): Promise<Outcome> {
  const context = {
    deliveryId: formatDeliveryId(envelope.id),
    deliveryUuid: envelope.id,
    tenant: envelope.tenant,
    attempt,
    ...(traceparent !== undefined && { traceparent }),
  }
  const limit = new AbortController()
  const callOff = clock.after(timeout, () =>
    limit.abort(new DOMException('the time is over', 'TimeoutError')),
  )
  try {
    return await provider.send(message, context, limit.signal)
  } catch (error) {
    // A provider that throws is defective, and nobody knows what left the house.
    return {
      class: 'maybe_sent',
      code: 'defect',
      detail: error instanceof Error ? error.name : 'unknown error',
    }
  } finally {
    callOff()
  }
}
