import type { OpenCatalog } from '../../core/catalog/reader.ts'
import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationTemplate } from '../../core/resources/template.ts'
import type { TemplateProblem } from '../../core/template/check.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { templates } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import { hasSameSpec, keyOf, nameOf, type ObjectName } from '../runtime/api/resource-kind.ts'
import { Controller } from '../runtime/controller.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { createControllerMetrics } from '../runtime/metrics.ts'
import type { Watches } from '../watches.ts'
import { startCollector } from './collector.ts'
import { createTemplateReconciler } from './reconcile.ts'
import { createTemplateStatusWriter, type TemplateObject } from './status.ts'

export interface TemplateControllerOptions {
  api: Api
  catalog: OpenCatalog
  writer: CatalogWriter
  watches: Watches
  watchNamespaces: readonly string[]
  checkTemplate: (template: NotificationTemplate) => Promise<TemplateProblem[]>
  recordEvent: RecordEvent
  clock: Clock & Timers
  logger: Logger
  metrics: ReturnType<typeof createControllerMetrics>
}

const workers = 2

/** Watches templates, and what the catalog says of them. */
export function createTemplateController(options: TemplateControllerOptions) {
  const { catalog, watches, watchNamespaces, clock, logger } = options
  const cache = watches.add<TemplateObject>(templates, watchNamespaces)
  const statusWriter = createTemplateStatusWriter({ ...options, objects: cache })
  const controller = new Controller({
    name: 'notificationtemplate',
    reconcile: createTemplateReconciler({
      ...options,
      templates: cache,
      statusWriter,
    }),
    workers,
    clock,
    logger,
    metrics: options.metrics('notificationtemplate', workers),
  })
  const enqueue = (name: ObjectName) => controller.queue.add(keyOf(name))
  let unsubscribe = () => {}
  let stopCollecting = () => {}

  const isWatched = ({ namespace }: ObjectName) =>
    watchNamespaces.length === 0 || watchNamespaces.includes(namespace)

  return {
    /** Resolves once every template that was there at the start has been looked at. */
    settled: controller.settled,
    /** To be called once the caches hold whole lists. */
    start(): void {
      cache.onChange((object, previous) => {
        if (hasSameSpec(object, previous) && cache.has(object) && !statusWriter.isForeign(object)) return
        enqueue(nameOf(object))
      })
      unsubscribe = catalog.onChange((key) => {
        const name = key === undefined ? undefined : templateOfKey(key)
        if (name !== undefined && isWatched(name)) enqueue(name)
      })
      for (const object of cache.list()) enqueue(nameOf(object))
      // What was deleted while nobody watched is known from the catalog.
      for (const [key, { source }] of catalog.published()) {
        const name = source === 'kubernetes' ? templateOfKey(key) : undefined
        if (name !== undefined && isWatched(name) && cache.get(name) === undefined) enqueue(name)
      }
      controller.start()
      stopCollecting = startCollector(options)
    },
    async stop(): Promise<void> {
      unsubscribe()
      stopCollecting()
      await controller.stop()
    },
  }
}

/** Of a current template; keys of revisions carry an `@`. */
function templateOfKey(key: string): ObjectName | undefined {
  const [kind, namespace, name] = key.split('/')
  return kind === 'NotificationTemplate' &&
    namespace !== undefined &&
    name !== undefined &&
    !name.includes('@')
    ? { namespace, name }
    : undefined
}
