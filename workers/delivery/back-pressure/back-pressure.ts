import type { Clock, Timers } from '../../../core/clock.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { parseDuration } from '../../../core/resources/duration.ts'
import { TokenLimiter } from '../limits/limiter.ts'
import { createRecipientLimit } from '../limits/recipient-limit.ts'
import type { Rate, SharedLimits } from '../limits/shared-limits.ts'
import type { DeliveryMetrics } from '../metrics.ts'
import type { OpenedProvider } from '../providers.ts'
import { Admission } from './admission.ts'
import type { CircuitState } from './circuit.ts'
import { type DestinationPass, Destinations } from './destinations.ts'
import { Lane, type Permit, type ProviderHealth } from './lane.ts'

export interface BackPressureOptions {
  channel: NotificationChannel
  /** In failover order. */
  providers: readonly OpenedProvider[]
  /** `undefined` where workers share no limits. */
  shared: SharedLimits | undefined
  /** The part of the channel's partitions that this worker has, 0 to 1. */
  share: () => number
  /** Whether a delivery ignores the limit of its recipient. */
  isCritical: (envelope: DeliveryEnvelope) => boolean
  clock: Clock & Timers
  logger: Logger
  metrics: DeliveryMetrics
  /** Called when something that was held back may start. */
  onOpening: () => void
}

/** Everything that holds the deliveries of one channel back. */
export interface BackPressure {
  /** Whether one more may start; `onOpening` says when to ask again. */
  canEnter: () => boolean
  /** Leave to call a provider; `undefined` where {@link canEnter} says no. */
  enter: () => Permit | undefined
  enterAfter: (permit: Permit) => Permit | undefined
  /** Calls that may be in flight at present. */
  capacity: () => number
  /** Whether the provider that is next to be asked does well, so that waiting for the end of its calls is worth while. */
  isClosed: () => boolean
  enterDestination: (envelope: DeliveryEnvelope) => DestinationPass
  /** Whether a first attempt is within the limit of its recipient. @param recipient names it without saying who it is */
  admitRecipient: (envelope: DeliveryEnvelope, recipient: string) => Promise<boolean>
  health: () => ProviderHealth[]
  /** Says in the log when the circuit of a provider has opened or closed. Cheap: asked after every delivery. */
  observe: () => void
  stop: () => void
}

const stateNumbers: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2 }

/** Limits, circuits and destinations of one channel, put together from its spec. */
export function createBackPressure(options: BackPressureOptions): BackPressure {
  const { channel, providers, shared, clock, logger, metrics } = options
  const { namespace, name } = channel.metadata
  const labels = { namespace, channel: name }
  /** Providers whose circuit is known not to be closed. */
  const out = new Set<string>()

  const limiters = new Map(
    providers.flatMap((provider) => (provider.rate ? [[provider, limiterOf(provider, provider.rate)]] : [])),
  )
  const lanes = providers.map((provider) => new Lane({ provider, clock, limiter: limiters.get(provider) }))
  const admission = new Admission({ lanes, clock, onOpening: options.onOpening })
  const destinations = new Destinations({ clock })
  const limit = channel.spec.delivery.perRecipientLimit
  const admitRecipient =
    limit &&
    createRecipientLimit({
      name: `${namespace}/${name}/recipient`,
      rate: { limit: limit.limit, interval: parseDuration(limit.interval) },
      shared,
      clock,
    })

  function limiterOf(provider: OpenedProvider, rate: Rate): TokenLimiter {
    return new TokenLimiter({
      rate,
      shared: shared?.tokens(`${namespace}/${name}/provider/${provider.name}`, rate),
      share: options.share,
      clock,
      onTokens: options.onOpening,
      onWaited: (milliseconds) =>
        metrics.limits.rateLimitWait.observe({ ...labels, provider: provider.name }, milliseconds / 1000),
    })
  }

  function report(): void {
    metrics.limits.capacity.set(labels, admission.capacity)
    metrics.limits.destinationsOpen.set(labels, destinations.open)
    for (const { provider, circuit } of admission.health)
      metrics.limits.breakerState.set({ ...labels, provider }, stateNumbers[circuit])
  }

  function observe(): void {
    for (const { provider, circuit } of lanes) {
      const isOut = circuit.state !== 'closed'
      if (out.has(provider.name) === isOut) continue
      const said = { ...labels, provider: provider.name, lastFailure: circuit.lastFailure }
      if (isOut) {
        out.add(provider.name)
        logger.warn(said, 'The circuit of a provider is open: nothing is sent to it')
      } else {
        out.delete(provider.name)
        logger.info(said, 'The circuit of a provider is closed again')
      }
    }
  }

  if (shared === undefined && limiters.size > 0) {
    logger.info(
      labels,
      'Without REDIS_URL each worker keeps to the share of the rate limits that its partitions are',
    )
  }
  metrics.limits.observers.add(report)
  return {
    canEnter: () => admission.canEnter(),
    enter: () => admission.enter(),
    enterAfter: (permit) => admission.enterAfter(permit),
    capacity: () => admission.capacity,
    isClosed: () => admission.isClosed,
    enterDestination: ({ address }) => destinations.enter(providers[0]!.destination?.(address)),
    async admitRecipient(envelope, recipient) {
      if (admitRecipient === undefined || options.isCritical(envelope)) return true
      return admitRecipient(recipient, envelope.id)
    },
    health: () => admission.health,
    observe,
    stop() {
      admission.stop()
      metrics.limits.observers.delete(report)
      for (const limiter of limiters.values()) limiter.stop()
      for (const gauge of [metrics.limits.capacity, metrics.limits.destinationsOpen]) gauge.remove(labels)
      for (const provider of providers)
        metrics.limits.breakerState.remove({ ...labels, provider: provider.name })
    },
  }
}
