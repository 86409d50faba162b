import type { Message } from '../notification/message.ts'
import type { ChannelType } from '../resources/channel-type.ts'
import { formatPath } from '../resources/problem.ts'
import type { NotificationTemplate } from '../resources/template.ts'
import { type CompiledVariables, compileVariables } from '../resources/template/variables.ts'
import type { Environment } from './liquid.ts'
import { localizedContent } from './locale.ts'
import { assembleMessage } from './message.ts'
import { type Part, type PartProblem, parsePart, renderPart } from './part.ts'
import { WeightedCache } from './weighted-cache.ts'

export interface RenderInput {
  template: NotificationTemplate
  /** Revision of the template: names the parsed form in the cache. */
  revision: string
  channelType: ChannelType
  /** BCP 47, as asked for. The template's default when absent. */
  locale?: string | undefined
  /** Where the message goes: its `to`. Templates do not see it. */
  address: string
  /** What the request brought. Defaults that `variables` says are filled in once more, as records may be older than this program. */
  data: Record<string, unknown>
  user?: Record<string, unknown> | undefined
  notification: { id: string; category?: string | undefined }
}

export type Rendered =
  | { kind: 'ok'; message: Message }
  /** No message, today or ever: `detail` is one line that names the part, and holds no data. */
  | { kind: 'invalid'; part: string; line?: number; detail: string }

export interface Renderer {
  /** Renders the content of a template for one channel type and recipient. Never throws for what a template or its data may hold. */
  render(input: RenderInput): Rendered
}

/** Bytes of parsed texts that are kept, by estimate: their source, and what an output or a tag takes parsed (measured: 800 bytes). */
const cacheBytes = 67_108_864
const parsedBytes = 800

/** @param options.now milliseconds since the epoch: what `"now" | date` prints */
export function createRenderer({ now = Date.now }: { now?: () => number } = {}): Renderer {
  const cache = new WeightedCache<Prepared>(cacheBytes)
  const variables = new WeakMap<NotificationTemplate, CompiledVariables>()

  const withDefaults = (template: NotificationTemplate, data: Record<string, unknown>) => {
    if (template.spec.variables === undefined) return data
    const compiled = variables.get(template) ?? compileVariables(template.spec.variables)
    variables.set(template, compiled)
    const validated = compiled.ok ? compiled.validate(data) : undefined
    return validated?.ok ? validated.data : data
  }

  return {
    render({ template, revision, channelType, locale, address, data, user = {}, notification }) {
      const content = localizedContent(template.spec, channelType, locale)
      if (content === undefined)
        return { kind: 'invalid', part: channelType, detail: `${channelType}: the template has no content` }
      const { namespace, name } = template.metadata
      const key = [namespace, name, revision, channelType, content.locale].join('/')
      const prepared = cache.get(key, () => prepare(channelType, content.parts))
      if (!prepared.ok) return prepared.invalid
      return renderParts(channelType, address, prepared.parts, {
        data: withDefaults(template, data),
        user,
        notification,
        locale: content.locale,
        now: now(),
      })
    },
  }
}

type Invalid = Extract<Rendered, { kind: 'invalid' }>
type Prepared = { weight: number } & (
  | { ok: true; parts: { field: string; part: Part }[] }
  | { ok: false; invalid: Invalid }
)

function prepare(type: ChannelType, content: Readonly<Record<string, unknown>>): Prepared {
  const source = JSON.stringify(content)
  const weight = source.length + source.split(/\{[{%]/).length * parsedBytes
  const parts: { field: string; part: Part }[] = []
  for (const [field, source] of Object.entries(content)) {
    if (source === undefined) continue
    const parsed = parsePart(type, field, source)
    if (!parsed.ok) return { ok: false, weight, invalid: invalid(type, field, parsed.problems[0]!) }
    parts.push({ field, part: parsed.part })
  }
  return { ok: true, weight, parts }
}

function renderParts(
  type: ChannelType,
  address: string,
  parts: readonly { field: string; part: Part }[],
  environment: Environment,
): Rendered {
  const values: Record<string, unknown> = {}
  for (const { field, part } of parts) {
    const rendered = renderPart(part, environment)
    if (!rendered.ok) return invalid(type, field, rendered.problem)
    values[field] = rendered.value
  }
  const assembled = assembleMessage(type, address, values)
  if (assembled.ok) return { kind: 'ok', message: assembled.message }
  return invalid(type, assembled.part, { path: [], detail: assembled.detail })
}

function invalid(type: ChannelType, field: string, { path, line, detail }: PartProblem): Invalid {
  const part = formatPath([type, field, ...path])
  const place = line === undefined ? part : `${part}:${line}`
  return { kind: 'invalid', part, ...(line !== undefined && { line }), detail: `${place}: ${detail}` }
}
