import type { Catalog } from '../../core/catalog/catalog.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'

/** A catalog of one channel, which never changes. */
export function catalogOf(resource: NotificationChannel): Catalog {
  const entry = { revision: 'r1', resource }
  const { namespace, name } = resource.metadata
  return {
    synced: () => true,
    channel: (wanted, other) => (wanted === namespace && other === name ? entry : undefined),
    channels: () => [entry],
    template: () => undefined,
    templateRevision: () => undefined,
    templates: () => [],
    isCurrent: async () => true,
    onChange: () => () => {},
  }
}
