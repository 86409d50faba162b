import { Gauge, type Registry } from 'prom-client'
import type { Catalog } from '../catalog/catalog.ts'
import type { LiveWorkers } from '../heartbeat/live-workers.ts'

/** Registers how many workers each channel has, as far as they say so. While that is not known its series are absent, and not 0. */
export function registerLiveWorkers(options: {
  registry: Registry
  workers: Pick<LiveWorkers, 'list'>
  catalog: Pick<Catalog, 'channels'>
}): void {
  const { registry, workers, catalog } = options
  const live = new Gauge({
    name: 'carillon_workers_live',
    help: 'Delivery workers of a channel that sent a heartbeat lately.',
    labelNames: ['namespace', 'channel'],
    registers: [],
    collect() {
      this.reset()
      for (const { resource } of catalog.channels()) {
        const { namespace, name } = resource.metadata
        const found = workers.list({ namespace, name })
        if (found !== undefined) this.set({ namespace, channel: name }, found.length)
      }
    },
  })
  registry.registerMetric(live)
}
