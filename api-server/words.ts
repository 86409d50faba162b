import type { Catalog, CatalogEntry } from '../core/catalog/catalog.ts'
import type { RequestEnvelope } from '../core/notification/envelope.ts'
import type { ChannelType } from '../core/resources/channel-type.ts'
import type { NotificationTemplate } from '../core/resources/template.ts'
import { compileVariables, type ValidatedData } from '../core/resources/variables.ts'
import { missingContent } from '../core/template/content.ts'
import { type FieldError, fieldError } from './problem.ts'
import type { SendRequest } from './send-request.ts'

/** What a notification says, by a template or in the request's own words. */
export interface Words {
  /** Goes into the envelope as it is. */
  settled: Pick<RequestEnvelope, 'template' | 'content' | 'data' | 'category'>
  /** What is missing for a channel of this type; empty where something can be said on it. */
  missing(type: ChannelType): FieldError[]
  errors: FieldError[]
}

/** Finds the words of a request; a list of errors when there are none. */
export function findWords(request: SendRequest, catalog: Catalog, tenant: string): Words | FieldError[] {
  const { template, content } = request
  if (template !== undefined && content !== undefined)
    return [fieldError('/content', 'conflict', 'template and content exclude each other')]
  if (content !== undefined) return fromContent(request, content)
  if (template === undefined) return [fieldError('/template', 'required', 'template or content is required')]
  const entry = catalog.template(tenant, template.id)
  if (entry === undefined)
    return [fieldError('/template/id', 'unknown_template', 'there is no such template')]
  return fromTemplate(request, template, entry)
}

function fromContent(request: SendRequest, content: NonNullable<SendRequest['content']>): Words {
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
): Words {
  const { content, category } = resource.spec
  const data = checkData(resource, request.data ?? {})
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

type Check = (data: Record<string, unknown>) => ValidatedData

/** Compiled once per template and revision: the catalog replaces the object when the template changes. */
const checks = new WeakMap<NotificationTemplate, Check>()

function checkData(template: NotificationTemplate, data: Record<string, unknown>): ValidatedData {
  const { variables } = template.spec
  if (variables === undefined) return { ok: true, data }
  let check = checks.get(template)
  if (check === undefined) {
    const compiled = compileVariables(variables)
    if (!compiled.ok) throw new Error(`variables of template ${template.metadata.name} cannot be compiled`)
    check = compiled.validate
    checks.set(template, check)
  }
  return check(data)
}
