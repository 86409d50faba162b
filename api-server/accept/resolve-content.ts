import type { Catalog, CatalogEntry } from '../../core/catalog/catalog.ts'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
import type { ChannelType } from '../../core/resources/channel-type.ts'
import { suggestion } from '../../core/resources/problem.ts'
import type { ValidatedData } from '../../core/resources/template/variables.ts'
import type { NotificationTemplate } from '../../core/resources/template.ts'
import { missingContent } from '../../core/template/content.ts'
import type { Busy } from '../../core/template/threads/template-threads.ts'
import { type FieldError, fieldError } from '../http/problem.ts'
import type { CheckData } from './check-data.ts'
import type { SendRequest } from './send-request.ts'

/** What a notification says, by a template or in the request's own words. */
export interface ResolvedContent {
  /** Goes into the envelope as it is. */
  settled: Pick<RequestEnvelope, 'template' | 'content' | 'data' | 'category'>
  /** What is missing for a channel of this type; empty where something can be said on it. */
  missing(type: ChannelType): FieldError[]
  errors: FieldError[]
}

/** Finds what a request says; a list of errors where that is nothing, or not clear. */
export async function resolveContent(
  request: SendRequest,
  catalog: Catalog,
  checkData: CheckData,
  tenant: string,
): Promise<ResolvedContent | FieldError[] | Busy> {
  const { template, content } = request
  if (template !== undefined && content !== undefined)
    return [fieldError('/content', 'conflict', 'template and content exclude each other')]
  if (content !== undefined) return fromContent(request, content)
  if (template === undefined) return [fieldError('/template', 'required', 'template or content is required')]
  const entry = catalog.template(tenant, template.id)
  if (entry === undefined) {
    const known = catalog.templates(tenant).map(({ resource }) => resource.metadata.name)
    const detail = `there is no such template${suggestion(template.id, known)}`
    return [fieldError('/template/id', 'unknown_template', detail)]
  }
  const data = await checkData(entry, request.data ?? {})
  return 'kind' in data ? data : fromTemplate(request, template, entry, data)
}

function fromContent(request: SendRequest, content: NonNullable<SendRequest['content']>): ResolvedContent {
  return {
    settled: { content, data: {}, ...(request.category !== undefined && { category: request.category }) },
    missing: (type) =>
      missingContent(type, content).map((field) =>
        fieldError(`/content/${field}`, 'required', `is required on channels of type ${type}`),
      ),
    errors:
      request.data === undefined
        ? []
        : [fieldError('/data', 'not_allowed', 'data are for templates: content is sent as it is')],
  }
}

function fromTemplate(
  request: SendRequest,
  { id, locale }: NonNullable<SendRequest['template']>,
  { revision, resource }: CatalogEntry<NotificationTemplate>,
  data: ValidatedData,
): ResolvedContent {
  const { content, category } = resource.spec
  const kind = request.category ?? category
  return {
    settled: {
      template: { name: id, revision, ...(locale !== undefined && { locale }) },
      data: data.ok ? data.data : {},
      ...(kind !== undefined && { category: kind }),
    },
    missing: (type) =>
      content[type] === undefined
        ? [
            fieldError(
              '/template/id',
              'no_content',
              `the template has no content for channels of type ${type}`,
            ),
          ]
        : [],
    errors: data.ok
      ? []
      : data.problems.map(({ pointer, message }) => fieldError(`/data${pointer}`, 'invalid_data', message)),
  }
}
