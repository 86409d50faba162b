import type { Catalog } from '../../../core/catalog/catalog.ts'
import type { DeliveryEnvelope } from '../../../core/notification/envelope.ts'
import type { Message } from '../../../core/notification/message.ts'
import { messageFromContent } from '../../../core/template/content.ts'
import type { TemplateThreads } from '../../../core/template/threads/template-threads.ts'

/** What rendering a delivery came to. */
export type Rendered =
  | { kind: 'ok'; message: Message }
  | { kind: 'invalid'; detail: string }
  /** Too much waits to be rendered. */
  | { kind: 'busy' }
  /** Others of the same text ran away, and none is tried before so many milliseconds have passed. */
  | { kind: 'later'; milliseconds: number }

/** Renders deliveries from the revision of the template that their request named, or from the content that it brought. */
export function createRender(
  catalog: Catalog,
  templates: Pick<TemplateThreads, 'render'>,
): (envelope: DeliveryEnvelope) => Promise<Rendered> {
  return async ({ template, content, ...envelope }) => {
    if (content !== undefined) {
      const made = messageFromContent(envelope.channel_type, envelope.address, content)
      return made.ok
        ? { kind: 'ok', message: made.message }
        : { kind: 'invalid', detail: `${made.part}: ${made.detail}` }
    }
    const entry = templateOf(catalog, { ...envelope, template })
    if (entry === undefined) return { kind: 'invalid', detail: 'the template is gone' }
    return templates.render({
      template: entry.resource,
      revision: entry.revision,
      channelType: envelope.channel_type,
      locale: template?.locale ?? localeOf(envelope.user),
      address: envelope.address,
      data: envelope.data,
      user: envelope.user,
      notification: { id: envelope.notification, category: envelope.category },
    })
  }
}

/** Whether what a delivery is rendered from is at hand. */
export function knowsTemplate(catalog: Catalog, envelope: DeliveryEnvelope): boolean {
  return envelope.content !== undefined || templateOf(catalog, envelope) !== undefined
}

/** Whether the template says that nothing may hold its messages back. */
export function isCritical(catalog: Catalog, envelope: DeliveryEnvelope): boolean {
  return templateOf(catalog, envelope)?.resource.spec.critical ?? false
}

function templateOf(catalog: Catalog, { tenant, template }: Pick<DeliveryEnvelope, 'tenant' | 'template'>) {
  return template && catalog.templateRevision(tenant, template.name, template.revision)
}

function localeOf(user: Record<string, unknown> | undefined): string | undefined {
  const locale = user?.['locale']
  return typeof locale === 'string' ? locale : undefined
}
