import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import packageJson from '../../package.json' with { type: 'json' }

/**
 * Seconds. The buckets of OpenTelemetry's `http.server.request.duration`, so that panels and alerts made for
 * those fit ours (semantic conventions, HTTP metrics).
 */
export const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/**
 * The metrics of a process, to begin with those of Node itself. A component registers its own with the registry, under names
 * that begin with `carillon_`; a label is never a recipient, an id or an address.
 */
export function createMetrics(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'carillon_' })
  const build = new Gauge({
    name: 'carillon_build_info',
    help: 'Always 1; what runs is in the labels.',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  })
  build.set({ version: packageJson.version, node_version: process.version }, 1)
  return registry
}
