import type { Admin } from '../../core/broker/broker.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { deleteOwnedTopics } from '../../core/ownership/owned-topics.ts'
import type { Ownership } from '../../core/ownership/ownership.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import type { Children } from '../children.ts'
import { channels } from '../kinds.ts'
import { keyOf, type KubernetesObject, type ObjectName } from '../runtime/api/resource-kind.ts'
import type { EventText, RecordEvent } from '../runtime/events.ts'
import { isOf } from './names.ts'

export interface RemoverOptions {
  admin: Pick<Admin, 'describeTopics' | 'deleteTopics'>
  ownership: Ownership
  catalog: Pick<OpenCatalog, 'published'>
  writer: CatalogWriter
  /** Everything that is made for a channel in the cluster. */
  children: readonly Pick<Children<KubernetesObject>, 'cache' | 'delete'>[]
  /** The topics that any channel of a namespace lays claim to. */
  takenTopics: (namespace: string) => ReadonlySet<string>
  recordEvent: RecordEvent
}

/**
 * Nothing of a channel that is gone stays but its topics, and those too go where it said so and this install made them. What is interrupted is done
 * again.
 */
export function createRemover(options: RemoverOptions) {
  const { catalog, writer, children, takenTopics, recordEvent } = options

  return async function remove(name: ObjectName, signal: AbortSignal): Promise<void> {
    for (const each of children) {
      for (const object of each.cache.list())
        if (isOf(name, object.metadata.labels)) await each.delete(object, signal)
    }
    const key = `NotificationChannel/${name.namespace}/${name.name}`
    const source = catalog.published().get(key)?.source ?? 'kubernetes'
    if (source !== 'kubernetes') return
    const taken = () => takenTopics(name.namespace)
    const { left } = await deleteOwnedTopics(keyOf(name), { ...options, taken }, signal)
    if (left.length > 0) recordEvent({ ...channels, metadata: name }, leftEvent(left))
    await writer.remove([key], signal)
  }
}

function leftEvent(topics: readonly string[]): EventText {
  const note = `adopted topics are not deleted: ${topics.join(', ')}`
  return { type: 'Normal', reason: 'AdoptedTopicsLeft', action: 'Delete', note }
}
