import type { Clock } from '../../core/clock.ts'
import type { Idempotency, Provider, ProviderOptions } from '../../core/providers/provider.ts'
import { providerByType } from '../../core/providers/registry.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { parseDuration } from '../../core/resources/duration.ts'
import type { Rate } from './limits/shared-limits.ts'

/** Reads a key of a Secret by the name in `secretRef`. */
export type ReadSecret = (secretName: string, key: string) => string | undefined

export interface OpenProvidersOptions {
  readSecret: ReadSecret
  clock: Clock
  capture: ProviderOptions<unknown>['capture']
}

/** A provider of the channel, ready to send. */
export interface OpenedProvider {
  name: string
  /** Milliseconds one send may take. */
  timeout: number
  /** Sends that may be in flight. */
  maxConcurrent: number
  /** Messages that it may be given, over all workers. */
  rate?: Rate | undefined
  idempotency: Idempotency
  /** The party that a message to an address is for, where that is not the provider itself: it is to blame for failures. */
  destination?: ((address: string) => string | undefined) | undefined
  provider: Provider
}

/** Opens the providers of a channel in failover order. Throws where the spec names one that does not exist: the catalog holds none. */
export function openProviders(
  { spec }: NotificationChannel,
  { readSecret, clock, capture }: OpenProvidersOptions,
): OpenedProvider[] {
  return spec.providers.map((entry) => {
    const definition = providerByType(entry.type)
    if (definition === undefined) throw new Error(`unknown provider type ${entry.type}`)
    const secretName = entry.secretRef?.name
    return {
      name: entry.name,
      timeout: parseDuration(entry.timeout),
      maxConcurrent: entry.maxConcurrent,
      rate: entry.rateLimit && {
        limit: entry.rateLimit.limit,
        interval: parseDuration(entry.rateLimit.interval),
      },
      idempotency: definition.idempotency,
      destination: definition.destination,
      provider: definition.open({
        settings: definition.settings.parse(entry[entry.type] ?? {}),
        secret: (key) => (secretName === undefined ? undefined : readSecret(secretName, key)),
        maxConcurrent: entry.maxConcurrent,
        clock,
        ...(capture && { capture }),
      }),
    }
  })
}

/** What may be promised of a repeat when it is not known which provider was asked. */
export function weakestIdempotency(providers: readonly OpenedProvider[]): Idempotency {
  const all = new Set(providers.map(({ idempotency }) => idempotency))
  if (all.has('none')) return 'none'
  return all.has('key') ? 'key' : 'transaction'
}
