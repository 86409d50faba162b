import type { Catalog, CatalogEntry } from '../../../core/catalog/catalog.ts'
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

/** A catalog that holds what it is given, at revision `r1`, and never changes. */
export function staticCatalog(options: StaticCatalogOptions): Catalog {
  const { namespace = 'default', synced = true } = options
  const channels = Object.entries(options.channels).map(
    ([name, type]): CatalogEntry<NotificationChannel> => ({
      revision: 'r1',
      resource: channelResource(
        { name, namespace },
        {
          type,
          providers: [{ name: 'primary', ...(type === 'inapp' ? { type, inapp: {} } : { type: 'sandbox' }) }],
        },
      ),
    }),
  )
  const templates = Object.entries(options.templates ?? {}).map(
    ([name, spec]): CatalogEntry<NotificationTemplate> => ({
      revision: 'r1',
      resource: templateResource({ name, namespace }, spec),
    }),
  )
  const find = <R extends NotificationChannel | NotificationTemplate>(
    entries: CatalogEntry<R>[],
    wanted: string,
    name: string,
  ) =>
    entries.find(({ resource }) => resource.metadata.namespace === wanted && resource.metadata.name === name)
  const list = <R extends NotificationChannel | NotificationTemplate>(
    entries: CatalogEntry<R>[],
    wanted?: string,
  ) => entries.filter(({ resource }) => wanted === undefined || resource.metadata.namespace === wanted)
  return {
    synced: () => synced,
    channel: (wanted, name) => find(channels, wanted, name),
    channels: (wanted) => list(channels, wanted),
    template: (wanted, name) => find(templates, wanted, name),
    templateRevision: (wanted, name, revision) =>
      revision === 'r1' ? find(templates, wanted, name) : undefined,
    templates: (wanted) => list(templates, wanted),
    isCurrent: async () => true,
    onChange: () => () => {},
  }
}
