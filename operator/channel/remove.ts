import type { Admin } from '../../core/broker/broker.ts'
import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import type { Children } from '../children.ts'
import type { KubernetesObject, ObjectName } from '../runtime/resource-kind.ts'
import { isOf } from './names.ts'

export interface RemoverOptions {
  admin: Pick<Admin, 'deleteTopics'>
  catalog: Pick<OpenCatalog, 'published'>
  writer: CatalogWriter
  /** Everything that is made for a channel in the cluster. */
  children: readonly Pick<Children<KubernetesObject>, 'cache' | 'delete'>[]
  /** The topics that any channel there is lays claim to. */
  takenTopics: () => ReadonlySet<string>
  prefix: string
  /** Throws when nothing may be written any more. */
  beforeWrite: () => void
}

/** Nothing of a channel that is gone stays but its topics, and those too go where it said so. What is interrupted is done again. */
export function createRemover(options: RemoverOptions) {
  const { admin, catalog, writer, children, takenTopics, prefix, beforeWrite } = options

  return async function remove(name: ObjectName, signal: AbortSignal): Promise<void> {
    for (const each of children) {
      for (const object of each.cache.list())
        if (isOf(name, object.metadata.labels)) await each.delete(object, signal)
    }
    const key = `NotificationChannel/${name.namespace}/${name.name}`
    const entry = catalog.published().get(key)
    if (entry?.source !== 'kubernetes') return
    const { resource } = entry
    // Before the catalog forgets that they were to go.
    if (resource.kind === 'NotificationChannel' && resource.spec.topic.deletionPolicy === 'Delete') {
      const taken = takenTopics()
      const doomed = channelTopicSpecs(prefix, resource).map((topic) => topic.name)
      beforeWrite()
      await admin.deleteTopics(doomed.filter((topic) => !taken.has(topic)))
    }
    await writer.remove([key], signal)
  }
}
