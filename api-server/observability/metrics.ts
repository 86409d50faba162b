import { Counter, Histogram, type Registry } from 'prom-client'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { channelOfKey } from '../../core/catalog/records.ts'
import { durationBuckets } from '../../core/observability/metrics.ts'

export type ApiMetrics = ReturnType<typeof createApiMetrics>

/** Metrics of the API. `route` is the pattern of a route, so its values are few: never a path with ids in it. */
export function createApiMetrics(registry: Registry) {
  const registers = [registry]
  const route = ['route', 'method', 'code'] as const
  return {
    requests: new Counter({
      name: 'carillon_http_requests_total',
      help: 'HTTP requests answered.',
      labelNames: route,
      registers,
    }),
    duration: new Histogram({
      name: 'carillon_http_request_duration_seconds',
      help: 'From the first byte of the request to the last of the answer.',
      labelNames: ['route', 'method'],
      buckets: durationBuckets,
      registers,
    }),
    accepted: new Counter({
      name: 'carillon_accepted_total',
      help: 'Requests accepted, counted once for each channel they use. A repeat is not counted.',
      labelNames: ['namespace', 'channel'],
      registers,
    }),
    produceDuration: new Histogram({
      name: 'carillon_produce_duration_seconds',
      help: 'Until the broker acknowledged an accepted request.',
      buckets: durationBuckets,
      registers,
    }),
    produceErrors: new Counter({
      name: 'carillon_produce_errors_total',
      help: 'Requests that the broker did not acknowledge, by the kind of error.',
      labelNames: ['code'],
      registers,
    }),
  }
}

/** Takes the series of a channel away with the channel. */
export function forgetDeletedChannels(
  { accepted }: Pick<ApiMetrics, 'accepted'>,
  catalog: Pick<Catalog, 'channel' | 'onChange'>,
): void {
  catalog.onChange((key) => {
    const gone = key === undefined ? undefined : channelOfKey(key)
    if (gone === undefined || catalog.channel(gone.namespace, gone.name) !== undefined) return
    accepted.remove({ namespace: gone.namespace, channel: gone.name })
  })
}
