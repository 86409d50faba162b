import type { Clock, Timers } from '../../../core/clock.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import { formatDeliveryId } from '../../../core/notification/ids.ts'
import type { Message } from '../../../core/notification/message.ts'
import type { NotSent, Outcome } from '../../../core/providers/provider.ts'
import type { DestinationPass } from '../back-pressure/destinations.ts'
import type { Permit } from '../back-pressure/lane.ts'
import type { DeliveryMetrics } from '../metrics.ts'
import type { OpenedProvider } from '../providers.ts'
import { inProviderSpan } from '../trace-delivery.ts'
import type { CircuitVerdict } from './decide.ts'

export type SendResult =
  | {
      outcome: Outcome
      provider: OpenedProvider
      /** What the circuit said that watches whoever is to blame for the outcome. */
      verdict: CircuitVerdict
    }
  /** Nobody was asked. */
  | { outcome: NotSent; provider: OpenedProvider; verdict: undefined }

export interface SendOptions {
  /** Leave to ask another provider after one that did not take the message. */
  enterAfter: (permit: Permit) => Permit | undefined
  clock: Clock & Timers
  metrics: DeliveryMetrics
  /** Labels of the metrics. */
  channel: { namespace: string; channel: string }
}

const leaseTooShort: NotSent = {
  class: 'not_sent',
  code: 'lease_too_short',
  detail: 'the claim took so long that its lease would not cover the call',
}

/** Failures after which another provider may be asked: this one certainly did not take the message. */
const mayFailOver: ReadonlySet<Outcome['class']> = new Set(['not_sent', 'rate_limited', 'auth'])

/**
 * Sends through the provider of the permit, or through the first after it that takes the message. What the lease would not cover is
 * not sent.
 */
export function createSend({ enterAfter, clock, metrics, channel }: SendOptions) {
  return async (
    message: Message,
    envelope: DeliveryEnvelope,
    attempt: number,
    leaseEnd: number,
    admitted: { permit: Permit; destination: DestinationPass },
  ): Promise<SendResult> => {
    const { provider: first } = admitted.permit
    let result: SendResult = { outcome: leaseTooShort, provider: first, verdict: undefined }
    for (let permit: Permit | undefined = admitted.permit; permit; permit = enterAfter(permit)) {
      const { provider } = permit
      // The lease is checked on a clock that does not jump, just before the call: a worker that was frozen must not send.
      if (clock.monotonic() + provider.timeout > leaseEnd) {
        permit.release()
        return result
      }
      const startedAt = clock.monotonic()
      const outcome = await inProviderSpan({ ...channel, provider: provider.name }, (traceparent) =>
        callProvider(provider, message, { envelope, attempt, traceparent }, clock),
      )
      metrics.providerDuration.observe(
        { ...channel, provider: provider.name, outcome: outcome.class },
        (clock.monotonic() - startedAt) / 1000,
      )
      result = { outcome, provider, verdict: blame(permit, admitted.destination, outcome) }
      if (!mayFailOver.has(outcome.class)) return result
    }
    return result
  }
}

/** Tells the circuit of whoever the outcome says something of: the provider, or the destination that it only led to. */
function blame(permit: Permit, destination: DestinationPass, outcome: Outcome): CircuitVerdict {
  if (permit.provider.destination === undefined) return { ...permit.settle(outcome), of: 'provider' }
  permit.settle({ class: 'sent' })
  return { ...destination.settle(outcome), of: 'destination' }
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
