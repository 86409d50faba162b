import { kinds } from '../../../core/catalog/kinds.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { apiVersion } from '../../../core/resources/resource.ts'
import type { NotificationTemplate, NotificationTemplateInput } from '../../../core/resources/template.ts'

interface Metadata {
  name: string
  namespace?: string
}

/** A channel as the catalog has it: checked, with its defaults filled in. Throws when the spec is not valid. */
export function channelResource(metadata: Metadata, spec: object): NotificationChannel {
  return kinds.NotificationChannel.parse({ apiVersion, kind: 'NotificationChannel', metadata, spec })
}

/** A template, likewise. */
export function templateResource(
  metadata: Metadata,
  spec: NotificationTemplateInput['spec'],
): NotificationTemplate {
  return kinds.NotificationTemplate.parse({ apiVersion, kind: 'NotificationTemplate', metadata, spec })
}
