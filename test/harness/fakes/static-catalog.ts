import type { Catalog, CatalogEntry } from '../../../core/catalog/catalog.ts'
import type { Resource } from '../../../core/catalog/records.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import type { ChannelType } from '../../../core/resources/channel-type.ts'
import type { NotificationTemplate, NotificationTemplateInput } from '../../../core/resources/template.ts'
import { channelResource, templateResource } from './resources.ts'

export interface StaticCatalogOptions {
  namespace?: string
  /** Type of each channel, by name. */
  channels: Record<string, ChannelType>
  /** Spec of each template, by name. */
  templates?: Record<string, NotificationTemplateInput['spec']>
  synced?: boolean
}

/** A catalog of channels of these types and templates of these specs, at revision `r1`, that never changes. */
export function staticCatalog(options: StaticCatalogOptions): Catalog {
  const { namespace = 'default', synced = true } = options
  const channels = Object.entries(options.channels).map(([name, type]) =>
    channelResource(
      { name, namespace },
      {
        type,
        providers: [{ name: 'primary', ...(type === 'inapp' ? { type, inapp: {} } : { type: 'sandbox' }) }],
      },
    ),
  )
  const templates = Object.entries(options.templates ?? {}).map(([name, spec]) =>
    templateResource({ name, namespace }, spec),
  )
  return { ...catalogOf(channels, templates), synced: () => synced }
}

/** The same of whole resources. */
export function catalogOf(
  channels: readonly NotificationChannel[],
  templates: readonly NotificationTemplate[] = [],
): Catalog {
  const ofChannels = indexed(channels)
  const ofTemplates = indexed(templates)
  return {
    synced: () => true,
    channel: ofChannels.find,
    channels: ofChannels.list,
    template: ofTemplates.find,
    templateRevision: (namespace, name, wanted) =>
      wanted === revision ? ofTemplates.find(namespace, name) : undefined,
    templates: ofTemplates.list,
    isCurrent: async () => true,
    onChange: () => () => {},
  }
}

const revision = 'r1'

function indexed<R extends Resource>(resources: readonly R[]) {
  const entries = resources.map((resource): CatalogEntry<R> => ({ revision, resource }))
  const list = (namespace?: string) =>
    entries.filter(({ resource }) => namespace === undefined || resource.metadata.namespace === namespace)
  return {
    list,
    find: (namespace: string, name: string) =>
      list(namespace).find(({ resource }) => resource.metadata.name === name),
  }
}
