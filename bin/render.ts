import { stringify } from 'yaml'
import { nextState } from '../core/catalog/folder-state.ts'
import { kinds } from '../core/catalog/kinds.ts'
import { createLogger } from '../core/observability/logger.ts'
import { channelTypes } from '../core/resources/channel-type.ts'
import { formatManifestProblem } from '../core/resources/manifest.ts'
import type { NotificationTemplate } from '../core/resources/template.ts'
import type { renderSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { readManifests } from './manifests.ts'

type RenderSettings = Settings<typeof renderSettings>

/** What is rendered: a sample of the template, or the data of the command. */
interface Occasion {
  sample?: string
  locale: string
  data: Record<string, unknown>
}

/**
 * `carillon render`: shows what the templates of a folder say, sample by sample, as YAML whose parts may stand in a sample's `expect`. Needs neither Kafka nor
 * a database. Throws StartRefused with the place of every problem, where templates cannot serve.
 */
export async function render(settings: RenderSettings): Promise<void> {
  if (settings.data !== undefined && settings.template === undefined)
    throw new StartRefused('--data: needs --template, whose data they are', 2)
  const files = await readManifests(settings.manifestsToRender)
  const logger = createLogger({ level: 'ERROR', destination: process.stderr })
  const threads = new TemplateThreads({ logger })
  try {
    const shown: string[] = []
    for (const template of await provenTemplates(settings, files, threads)) {
      const occasions = await occasionsOf(template, settings, threads)
      if (occasions.length === 0) shown.push(`${titleOf(template)} has no samples\n`)
      for (const occasion of occasions) shown.push(await describe(template, occasion, settings, threads))
    }
    process.stdout.write(shown.join('---\n'))
  } finally {
    await threads.close()
  }
}

async function provenTemplates(
  { template: wanted, topicPrefix: prefix }: RenderSettings,
  files: Awaited<ReturnType<typeof readManifests>>,
  threads: TemplateThreads,
): Promise<NotificationTemplate[]> {
  const checkTemplate = (template: NotificationTemplate) => threads.check(template)
  const { served, problems } = await nextState(files, new Map(), { kinds, checkTemplate, prefix })
  if (problems.length > 0)
    throw new StartRefused(['nothing is rendered', ...problems.map(formatManifestProblem)].join('\n'))
  const templates = [...served.values()].flatMap(({ resource }) =>
    resource.kind === 'NotificationTemplate' ? [resource] : [],
  )
  const found = templates.filter(({ metadata }) => wanted === undefined || metadata.name === wanted)
  if (found.length > 0) return found
  throw new StartRefused(wanted === undefined ? 'there is no template' : `there is no template ${wanted}`)
}

async function occasionsOf(
  template: NotificationTemplate,
  { data, locale }: RenderSettings,
  threads: TemplateThreads,
): Promise<Occasion[]> {
  const { defaultLocale, samples } = template.spec
  if (data === undefined)
    return samples.map((sample) => ({
      sample: sample.name,
      locale: locale ?? sample.locale ?? defaultLocale,
      data: sample.data,
    }))
  const checked = await threads.validate(template, 'rendered', data)
  if ('kind' in checked) throw new StartRefused('the data cannot be checked')
  if (checked.ok) return [{ locale: locale ?? defaultLocale, data }]
  throw new StartRefused(
    checked.problems.map(({ pointer, message }) => `--data: ${pointer}: ${message}`).join('\n'),
    2,
  )
}

async function describe(
  template: NotificationTemplate,
  { sample, locale, data }: Occasion,
  { types = [...channelTypes] }: RenderSettings,
  threads: TemplateThreads,
): Promise<string> {
  const { metadata, spec } = template
  const rendered: Record<string, object> = {}
  for (const type of types) {
    if (spec.content[type] === undefined) continue
    const result = await threads.render({
      template,
      revision: 'rendered',
      channelType: type,
      locale,
      address: '',
      data,
      notification: { id: 'ntf_sample', category: spec.category },
    })
    if (result.kind !== 'ok')
      throw new StartRefused(
        `template ${metadata.name}: ${result.kind === 'invalid' ? result.detail : 'cannot be rendered'}`,
      )
    const { type: _type, to: _to, ...parts } = result.message
    rendered[type] = parts
  }
  const what = sample === undefined ? '' : `, sample ${sample}`
  return `${titleOf(template)}${what}, ${locale}\n${stringify(rendered, { lineWidth: 0 })}`
}

function titleOf({ metadata }: NotificationTemplate): string {
  return `# ${metadata.namespace}/${metadata.name}`
}
