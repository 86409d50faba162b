import { kinds } from '../../core/catalog/kinds.ts'
import { keyOf } from '../../core/catalog/records.ts'
import type { TemplateConditionType } from '../../core/resources/condition.ts'
import type { NotificationTemplate } from '../../core/resources/template.ts'
import type { TemplateProblem } from '../../core/template/check.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { failureCondition } from '../failure-condition.ts'
import { createParser } from '../parser.ts'
import type { ObjectName } from '../runtime/api/resource-kind.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import type { ReconcileContext, ReconcileResult } from '../runtime/controller.ts'
import { signalToTell } from '../runtime/signal-to-tell.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import type { createTemplateStatusWriter, TemplateFacts, TemplateObject } from './status.ts'

export interface TemplateReconcilerOptions {
  templates: Cache<TemplateObject>
  writer: CatalogWriter
  /** Parses every part and renders every sample, in a thread that can be ended. */
  checkTemplate: (template: NotificationTemplate) => Promise<TemplateProblem[]>
  statusWriter: ReturnType<typeof createTemplateStatusWriter>
}

/** Milliseconds after which what Kafka refused is tried again, though nothing about the template changed. */
const resync = 120_000
/** Problems told in a condition: the first is what the author mends first. */
const told = 5

const parse = createParser<NotificationTemplate>(kinds.NotificationTemplate)

/** Publishes a template once it is proven; a broken edit leaves the last good revision serving, and says why. */
export function createTemplateReconciler(options: TemplateReconcilerOptions) {
  const { templates, writer, checkTemplate, statusWriter } = options

  return async function reconcile(name: ObjectName, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const object = templates.get(name)
    if (object === undefined) {
      statusWriter.forget(name)
      // Its revisions stay: deliveries that wait for a retry name them.
      await writer.remove([`NotificationTemplate/${name.namespace}/${name.name}`], signal)
      return {}
    }
    const findings: Partial<Record<TemplateConditionType, ConditionText>> = {}
    try {
      return await look(object, findings, signal)
    } catch (error) {
      const telling = signalToTell(signal)
      const Ready = failureCondition(error)
      if (telling)
        await statusWriter.write(object, { Ready, Valid: findings.Valid ?? Ready }, kept(object), telling)
      // What Kafka refuses it refuses again: its settings, or the template, have to change first.
      if (Ready.status === 'False') return { requeueAfter: resync }
      throw error
    }
  }

  async function look(
    object: TemplateObject,
    findings: Partial<Record<TemplateConditionType, ConditionText>>,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const parsed = parse(object)
    if (parsed.kind === 'invalid') {
      await tell(object, 'InvalidSpec', parsed.message, signal)
      return {}
    }
    const problems = await checkTemplate(parsed.resource)
    if (problems.length > 0) {
      await tell(object, 'InvalidContent', problems.slice(0, told).map(describe).join('; '), signal)
      return {}
    }
    findings.Valid = { status: 'True', reason: 'Valid', message: provenBy(parsed.resource) }
    await serve(object, parsed.resource, findings.Valid, signal)
    return {}
  }

  async function serve(
    object: TemplateObject,
    template: NotificationTemplate,
    valid: ConditionText,
    signal: AbortSignal,
  ): Promise<void> {
    const source = writer.foreignSource(keyOf(template))
    if (source !== undefined) {
      const message = `a template of this name was published from ${source}`
      const texts = { Ready: { status: 'False', reason: 'OwnedElsewhere', message }, Valid: valid } as const
      return statusWriter.write(object, texts, kept(object), signal)
    }
    const revision = await writer.publish(template, signal)
    const { content, locales, defaultLocale } = template.spec
    const facts: TemplateFacts = {
      revision: `${object.metadata.generation ?? 0}-${revision.slice(0, 6)}`,
      locales: [defaultLocale, ...Object.keys(locales).toSorted()],
      channels: Object.keys(content).toSorted() as NonNullable<TemplateFacts['channels']>,
    }
    const ready: ConditionText = {
      status: 'True',
      reason: 'Serving',
      message: `revision ${facts.revision} serves`,
    }
    await statusWriter.write(object, { Ready: ready, Valid: valid }, facts, signal)
  }

  async function tell(
    object: TemplateObject,
    reason: string,
    message: string,
    signal: AbortSignal,
  ): Promise<void> {
    const invalid: ConditionText = { status: 'False', reason, message }
    const { revision } = object.status ?? {}
    const rest = revision === undefined ? 'nothing serves yet' : `revision ${revision} goes on serving`
    const texts: Record<TemplateConditionType, ConditionText> = {
      Ready: { ...invalid, message: `${message}; ${rest}` },
      Valid: invalid,
    }
    await statusWriter.write(object, texts, kept(object), signal)
  }
}

function kept({ status }: TemplateObject): TemplateFacts {
  const { revision, locales, channels } = status ?? {}
  return { ...(revision && { revision }), ...(locales && { locales }), ...(channels && { channels }) }
}

function provenBy({ spec }: NotificationTemplate): string {
  const count = spec.samples.length
  return count === 0
    ? 'every part parses; there are no samples'
    : `every part parses, ${count} samples render as expected`
}

/** `spec.content.email.subject: line 2: …`: the message says the line itself. */
function describe({ path, message }: TemplateProblem): string {
  return `${path.join('.')}: ${message}`
}
