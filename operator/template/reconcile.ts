import { kinds } from '../../core/catalog/kinds.ts'
import { keyOf } from '../../core/catalog/records.ts'
import type { TemplateConditionType } from '../../core/resources/condition.ts'
import type { NotificationTemplate } from '../../core/resources/template.ts'
import type { TemplateProblem } from '../../core/template/check.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { isFalse, isTrue, ownedElsewhere } from '../channel/condition-texts.ts'
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

/** What one look at a template found. */
interface Findings {
  texts: Record<TemplateConditionType, ConditionText>
  facts: TemplateFacts
}

/** Publishes a template once it is proven; a broken edit leaves the last good revision serving, and says why. */
export function createTemplateReconciler(options: TemplateReconcilerOptions) {
  const { templates, writer, checkTemplate, statusWriter } = options

  return async function reconcile(
    name: ObjectName,
    { signal, logger }: ReconcileContext,
  ): Promise<ReconcileResult> {
    const object = templates.get(name)
    if (object === undefined) {
      // Its revisions stay: deliveries that wait for a retry name them.
      await writer.remove([`NotificationTemplate/${name.namespace}/${name.name}`], signal)
      return {}
    }
    const tell = async ({ texts, facts }: Findings) => {
      const telling = signalToTell(signal)
      if (telling) await statusWriter.write(object, texts, facts, telling)
    }
    const proven: { Valid?: ConditionText } = {}
    let findings: Findings
    try {
      findings = await look(object, proven, signal)
    } catch (error) {
      const Ready = failureCondition(error)
      try {
        await tell({ texts: { Ready, Valid: proven.Valid ?? Ready }, facts: kept(statusWriter.last(object)) })
      } catch (failure) {
        logger.warn({ err: failure }, 'Nor can the status be written')
        throw error
      }
      // What Kafka refuses it refuses again: its settings, or the template, have to change first.
      if (Ready.status === 'False') return { requeueAfter: resync }
      throw error
    }
    await tell(findings)
    return {}
  }

  /** @param proven is given what is known of the template itself, also when the look fails after that */
  async function look(
    object: TemplateObject,
    proven: { Valid?: ConditionText },
    signal: AbortSignal,
  ): Promise<Findings> {
    const last = statusWriter.last(object)
    const parsed = parse(object)
    if (parsed.kind === 'invalid') return refused(last, 'InvalidSpec', parsed.message)
    const template = parsed.resource
    const problems = await checkTemplate(template)
    if (problems.length > 0)
      return refused(last, 'InvalidContent', problems.slice(0, told).map(describe).join('; '))
    const Valid = isTrue('Valid', provenBy(template))
    proven.Valid = Valid
    const source = writer.foreignSource(keyOf(template))
    if (source !== undefined) {
      const Ready = isFalse('OwnedElsewhere', ownedElsewhere('template', source))
      return { texts: { Ready, Valid }, facts: kept(last) }
    }
    const facts = factsOf(object, template, await writer.publish(template, signal))
    return { texts: { Ready: isTrue('Serving', `revision ${facts.revision} serves`), Valid }, facts }
  }
}

/** @param last what was said last of the template */
function refused(last: TemplateFacts | undefined, reason: string, message: string): Findings {
  const facts = kept(last)
  const rest =
    facts.revision === undefined ? 'nothing serves yet' : `revision ${facts.revision} goes on serving`
  const texts = { Ready: isFalse(reason, `${message}; ${rest}`), Valid: isFalse(reason, message) }
  return { texts, facts }
}

function factsOf(
  { metadata }: TemplateObject,
  { spec }: NotificationTemplate,
  revision: string,
): TemplateFacts {
  const { content, locales, defaultLocale } = spec
  return {
    revision: `${metadata.generation ?? 0}-${revision.slice(0, 6)}`,
    locales: [defaultLocale, ...Object.keys(locales).toSorted()],
    channels: Object.keys(content).toSorted() as NonNullable<TemplateFacts['channels']>,
  }
}

function kept({ revision, locales, channels }: TemplateFacts = {}): TemplateFacts {
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
